import type { H2Session, H2SessionHandler } from '#agent/h2/types.ts';
import type { IdentitySnapshot, IdentityStore } from '#agent/identity/store.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { deriveAuthenticatorKeys } from '#agent/proof/authenticator-keys.ts';
import type { ProofReport } from '#agent/proof/proof-report.ts';
import { offerReProof, type ReProof } from '#agent/proof/re-proof.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { authorityOf } from './authority.ts';
import type { Target } from './dialer.ts';
import type { ConnectProblem, Link, OpenLink } from './open-link.ts';
import type { OpenProblem } from './peer.ts';
import { PeerSession, type SessionOwner } from './peer-session.ts';

export interface SessionFacts {
  /** SPIFFE ID. */
  readonly peer: string;
  /** `host:port` */
  readonly address: string;
  readonly reason?: ConnectProblem;
}

export type SessionEvent = 'opened' | 'failed' | 'closed';

export interface ConnectSessionParts {
  readonly identity: IdentityStore;
  readonly clock: Clock;
  readonly randomBytes: (size: number) => Buffer;
  readonly report: ProofReport;
  readonly openLink: OpenLink;
  /** The dialling end of HTTP/2. */
  readonly openH2: (pipe: Pipe, handler: H2SessionHandler) => H2Session;
  readonly whenExpired: 'keep' | 'end';
  /** For one attempt, from the first packet to SETTINGS. */
  readonly tryMs: number;
  /** `offer`: the other end may be an agent of ours, and both may prove new certificates in place. */
  readonly reProof: 'offer' | 'none';
  readonly onSession: (event: SessionEvent, facts: SessionFacts) => void;
}

/** Dials mTLS, verifies the other end, and waits for its SETTINGS: only they prove that it accepted our certificate. */
export async function connectSession(
  target: Target,
  owner: SessionOwner,
  parts: ConnectSessionParts,
): Promise<Result<PeerSession, OpenProblem>> {
  const { clock, tryMs, whenExpired } = parts;
  const identity = parts.identity.current();
  if (identity === undefined) return refuse('no-identity');
  if (clock.now() >= identity.svid.notAfterMs) return refuse('own-svid-expired');
  const facts = { peer: target.expected, address: authorityOf(target.address) };
  const failed = (reason: ConnectProblem): Result<never, ConnectProblem> => {
    parts.onSession('failed', { ...facts, reason });
    return refuse(reason);
  };
  const giveUpMs = clock.monotonic() + tryMs;
  const linked = await parts.openLink({ ...target, identity, alpn: ['h2'], deadlineMs: tryMs });
  if (!linked.ok) return failed(linked.reason);
  const { pipe, socket, peer } = linked.value;
  if (socket.alpnProtocol !== 'h2') {
    pipe.cut();
    return failed('handshake-failed');
  }
  const proofs = { ownNotAfterMs: identity.svid.notAfterMs, peerNotAfterMs: peer.svid.notAfterMs };
  const onSilent = (): void => parts.report.failed(peer.spiffeId, 'silent');
  const session = new PeerSession(
    { identity, proofs, whenExpired, onSilent },
    {
      onAging: (aging) => owner.onAging(aging),
      onRetired: (retired) => owner.onRetired(retired),
      onClosed(closed) {
        owner.onClosed(closed);
        parts.onSession('closed', facts);
      },
    },
    clock,
  );
  const isOpen = await session.open((handler) => parts.openH2(pipe, handler), giveUpMs - clock.monotonic());
  if (!isOpen) return failed('handshake-failed');
  if (parts.reProof === 'offer') session.startProof((open) => startSessionProof(open, linked.value, identity, parts));
  parts.onSession('opened', facts);
  return ok(session);
}

/** Offers re-proof on a session, whose life then follows what both ends prove; a peer that proves badly loses it. */
function startSessionProof(
  session: PeerSession,
  { socket, peer }: Link,
  shown: IdentitySnapshot,
  parts: ConnectSessionParts,
): ReProof | undefined {
  const keys = deriveAuthenticatorKeys(socket);
  if (!keys.ok) return undefined;
  const { identity, clock, randomBytes, report } = parts;
  return offerReProof(session.h2, 'peer', {
    keys: keys.value,
    identity,
    shown: shown.svid,
    peer,
    clock,
    randomBytes,
    onProved({ svid }) {
      session.extend({ peerNotAfterMs: svid.notAfterMs });
      report.proved(svid);
    },
    onShown: (svid) => session.shown(svid),
    onFailed(reason) {
      report.failed(peer.spiffeId, reason);
      session.destroy();
    },
  });
}
