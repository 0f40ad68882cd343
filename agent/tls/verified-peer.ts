import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { X509Svid } from '#certs/svid.ts';
import type { TrustBundle } from '#certs/trust-bundle.ts';
import { maxChainLength, verifySvid, type SvidProblem } from '#certs/verify-svid.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

/** Who is at the other end, as our own verifier read it from the handshake's certificates. */
export interface VerifiedPeer {
  readonly spiffeId: SpiffeId;
  readonly svid: X509Svid;
}

export type PeerProblem = SvidProblem | 'no-certificate';

/** One more than `verifySvid` takes: a longer chain is refused there, not cut to fit here. */
const maxCertificates = maxChainLength + 1;

/**
 * Judges the certificates of a finished handshake with our bundle, at our time. A handshake that showed none (a resumed
 * one included) is `no-certificate`.
 */
export function verifyPeer(
  socket: TLSSocket,
  check: { readonly bundle: TrustBundle; readonly nowMs: number },
): Result<VerifiedPeer, PeerProblem> {
  const leaf = socket.isSessionReused() ? undefined : socket.getPeerX509Certificate();
  if (leaf === undefined) return refuse('no-certificate');
  const verified = verifySvid(presentedChain(leaf), check);
  return verified.ok ? ok({ spiffeId: verified.value.spiffeId, svid: verified.value }) : verified;
}

/** What the peer sent, leaf first; copies are left out (some clients send the leaf twice). */
function presentedChain(leaf: X509Certificate): Buffer[] {
  const chain: Buffer[] = [leaf.raw];
  let at = leaf.issuerCertificate;
  for (let seen = 1; at !== undefined && seen < maxCertificates; seen += 1, at = at.issuerCertificate) {
    const { raw } = at;
    if (!chain.some((known) => known.equals(raw))) chain.push(raw);
  }
  return chain;
}
