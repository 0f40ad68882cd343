import { ByteChannel } from '#agent/http/channel.ts';
import type { Acquired, Upstream } from '#agent/http/serve.ts';
import type { OpenPeer, OpenProblem, Peer, PeerStream } from '#agent/tunnel/peer.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, type Result } from '#runtime/result.ts';

export interface PeerUpstream extends Upstream<OpenProblem> {
  /** Whom the next request is for; a stream to somebody else is let go. */
  aim(peer: Peer): void;
  close(): void;
}

/** A peer that was told the end has this long to end its own side; its session could never close otherwise. */
const endMs = 5_000;

/**
 * One app connection's way to a peer: a stream that is kept between requests as long as its session is fresh, and let
 * go at once when the session retires, so that the next request goes out under the newest certificates. Only this side
 * ends an idle stream; the peer's agent never does, so no request can meet a stream that is just being closed.
 */
export function createPeerUpstream(
  openPeer: OpenPeer,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): PeerUpstream {
  let peer: Peer | undefined;
  let kept: { stream: PeerStream; channel: ByteChannel; peer: Peer; ignoreRetired: () => void } | undefined;
  let phase: 'idle' | 'busy' = 'idle';

  const letGo = (how: 'end' | 'destroy'): void => {
    if (!kept) return;
    const { channel, ignoreRetired } = kept;
    kept = undefined;
    ignoreRetired();
    channel.discard();
    const { duplex } = channel;
    if (how === 'destroy') return void duplex.destroy(new Error('not needed any more'));
    duplex.end();
    const overdue = clock.timer(endMs, () => duplex.destroy(new Error('the peer does not end its side')));
    duplex.once('close', () => overdue.cancel());
  };

  const open = async (): Promise<Result<Acquired, OpenProblem>> => {
    if (!peer) throw new Error('acquire before aim');
    const to = peer;
    letGo('end');
    const opened = await openPeer(to, signal);
    if (!opened.ok) {
      phase = 'idle';
      return opened;
    }
    const stream = opened.value;
    const channel = new ByteChannel(stream.duplex);
    const ignoreRetired = stream.onRetired(() => {
      if (phase === 'idle') letGo('end');
    });
    kept = { stream, channel, peer: to, ignoreRetired };
    return ok({ channel, use: 'first' });
  };

  return {
    aim(next) {
      if (kept && !isSamePeer(kept.peer, next)) letGo('end');
      peer = next;
    },
    acquire() {
      phase = 'busy';
      if (kept?.channel.isIdle && kept.stream.isFresh()) return ok({ channel: kept.channel, use: 'again' });
      return open();
    },
    release(next) {
      phase = 'idle';
      if (next.kind === 'drop') letGo('destroy');
      else if (!kept?.stream.isFresh() || !kept.channel.isIdle) letGo('end');
    },
    close: () => letGo(phase === 'idle' ? 'end' : 'destroy'),
  };
}

function isSamePeer(a: Peer, b: Peer): boolean {
  return a.spiffeId === b.spiffeId && a.port === b.port && a.transport === b.transport;
}
