import type { IdentitySnapshot, IdentityStore } from '#agent/identity/store.ts';
import { deriveAuthenticatorKeys } from '#agent/proof/authenticator-keys.ts';
import type { ProofReport } from '#agent/proof/proof-report.ts';
import { offerReProof, type ReProof } from '#agent/proof/re-proof.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Link } from './connect.ts';
import type { PeerSession } from './peer-session.ts';

export interface SessionProofParts {
  readonly identity: IdentityStore;
  readonly clock: Clock;
  readonly randomBytes: (size: number) => Buffer;
  readonly report: ProofReport;
}

/** Offers re-proof on a session, whose life then follows what both ends prove; a peer that proves badly loses it. */
export function startSessionProof(
  session: PeerSession,
  { socket, peer }: Link,
  shown: IdentitySnapshot,
  parts: SessionProofParts,
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
    onShown: (svid) => session.extend({ ownNotAfterMs: svid.notAfterMs }),
    onFailed(reason) {
      report.failed(peer.spiffeId, reason);
      session.destroy();
    },
  });
}
