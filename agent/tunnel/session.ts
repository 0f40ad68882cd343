import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Clock, Timer } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { cut } from './cut.ts';
import { sessionFreshness } from './freshness.ts';
import type { OpenProblem, PeerStream } from './peer.ts';
import { tunnelSettings, tunnelWindowBytes } from './settings.ts';
import { createUnreadCeiling } from './unread-ceiling.ts';

/** What a session must know about its two certificates. */
export interface SessionFacts {
  readonly generation: number;
  /** The earlier `notAfter` of ours and the peer's. */
  readonly firstNotAfterMs: number;
  readonly whenExpired: 'keep' | 'end';
}

/** One mTLS connection to a peer's agent that carries CONNECT streams. */
export interface TunnelSession {
  readonly generation: number;
  /** Streams in flight. */
  readonly streams: number;
  /** `fresh`: use it. `aging`: look for a newer one, use this while there is none. `closed`: no new stream. */
  state(): 'fresh' | 'aging' | 'closed';
  /** Opens a CONNECT stream; `authority` is `host:port` of the peer's app. */
  open(authority: string, order: { deadlineMs: number; signal: AbortSignal }): Promise<Result<PeerStream, OpenProblem>>;
  /** No new stream from now on; closes when the last one has ended. */
  retire(): void;
  destroy(): void;
}

const pingEveryMs = 15_000;

/** Resolves when the peer has accepted our certificate too: its SETTINGS arrived. */
export function openTunnelSession(
  socket: TLSSocket,
  facts: SessionFacts,
  hooks: { clock: Clock; deadlineMs: number; onAging(): void; onClosed(): void },
): Promise<Result<TunnelSession, 'handshake-failed'>> {
  const http2 = connect('https://peer', {
    createConnection: () => socket,
    settings: tunnelSettings,
    maxSessionMemory: 128,
    peerMaxConcurrentStreams: 100,
  });
  socket.once('end', () => http2.destroy()); // the socket may be half open, a tunnel may not: the peer is gone
  return new Promise((resolve) => {
    const failed = (): void => {
      timer.cancel();
      http2.destroy();
      resolve(refuse('handshake-failed'));
    };
    const timer = hooks.clock.timer(hooks.deadlineMs, failed);
    http2.on('error', () => undefined); // 'close' follows
    http2.once('close', failed);
    http2.once('remoteSettings', () => {
      timer.cancel();
      http2.off('close', failed);
      http2.setLocalWindowSize(tunnelWindowBytes);
      resolve(ok(runSession(http2, facts, hooks)));
    });
  });
}

function runSession(
  http2: ClientHttp2Session,
  facts: SessionFacts,
  { clock, onAging, onClosed }: { clock: Clock; onAging(): void; onClosed(): void },
): TunnelSession {
  const { softMs, hardMs } = sessionFreshness(clock.now(), facts.firstNotAfterMs);
  const retiredListeners = new Set<() => void>();
  const timers = new Set<Timer>();
  const unread = createUnreadCeiling(clock);
  let retired = false;
  let streams = 0;

  const retire = (): void => {
    if (retired) return;
    retired = true;
    for (const listener of retiredListeners) listener();
    retiredListeners.clear();
    if (streams === 0) http2.close();
  };
  let pingTimer = clock.timer(pingEveryMs, ping);
  function ping(): void {
    pingTimer = clock.timer(pingEveryMs, ping);
    const unanswered = clock.timer(pingEveryMs, () => http2.destroy());
    const sent = !http2.closed && !http2.destroyed && http2.ping(() => unanswered.cancel());
    if (!sent) unanswered.cancel();
  }
  const after = (ms: number, fire: () => void): void => void timers.add(clock.timer(Math.max(0, ms), fire));
  after(softMs - clock.now(), onAging);
  if (facts.whenExpired === 'end') after(facts.firstNotAfterMs - clock.now(), () => http2.destroy());
  http2.once('goaway', retire);
  http2.once('close', () => {
    retire();
    pingTimer.cancel();
    for (const timer of timers) timer.cancel();
    onClosed();
  });

  const state = (): 'fresh' | 'aging' | 'closed' => {
    if (retired || http2.closed || http2.destroyed || clock.now() >= hardMs) return 'closed';
    return clock.now() >= softMs ? 'aging' : 'fresh';
  };
  const ended = (): void => {
    streams -= 1;
    if (retired && streams === 0) http2.close();
  };
  return {
    generation: facts.generation,
    get streams() {
      return streams;
    },
    state,
    async open(authority, { deadlineMs, signal }) {
      if (state() === 'closed') return refuse('unreachable');
      const stream = http2.request({ ':method': 'CONNECT', ':authority': authority }, { endStream: false });
      streams += 1;
      stream.once('close', ended);
      unread.add(stream);
      const answered = await connectAnswer(stream, { clock, deadlineMs, signal });
      if (!answered.ok) {
        cut(stream);
        return answered;
      }
      return ok({
        duplex: stream,
        isFresh: () => !retired && clock.now() < hardMs,
        onRetired(listener) {
          retiredListeners.add(listener);
          return () => retiredListeners.delete(listener);
        },
      });
    },
    retire,
    destroy: () => http2.destroy(),
  };
}

function connectAnswer(
  stream: ClientHttp2Stream,
  { clock, deadlineMs, signal }: { clock: Clock; deadlineMs: number; signal: AbortSignal },
): Promise<Result<undefined, OpenProblem>> {
  return new Promise((resolve) => {
    const settle = (result: Result<undefined, OpenProblem>): void => {
      timer.cancel();
      signal.removeEventListener('abort', onClose);
      stream.off('close', onClose);
      resolve(result);
    };
    const onClose = (): void => settle(refuse('unreachable'));
    const timer = clock.timer(deadlineMs, onClose);
    signal.addEventListener('abort', onClose, { once: true });
    stream.on('error', () => undefined); // 'close' follows
    stream.once('close', onClose);
    stream.once('response', (headers) => {
      const status = headers[':status'] ?? 0;
      if (status >= 200 && status < 300) settle(ok(undefined));
      else settle(refuse(answerProblem(status)));
    });
  });
}

/** What the peer's agent means by not answering CONNECT with 200. */
function answerProblem(status: number): OpenProblem {
  if (status === 403) return 'refused-by-peer';
  return status === 401 ? 'own-svid-expired' : 'app-unreachable';
}
