import { clientKey } from '#agent/client-key.ts';
import type { CallerTrack } from '#agent/plaintext/plaintext-ledger.ts';
import type { VerifiedPeer } from '#agent/tls/verified-peer.ts';

/**
 * A caller of a permissive port that proved nothing. Where it calls from is told to people, and decides about nothing but
 * its share of what there is (S9).
 */
export interface PlaintextPeer {
  readonly spiffeId: undefined;
  readonly address: string;
  readonly track: CallerTrack;
}

/** The other end of a connection: whoever has no SPIFFE ID proved nothing. */
export type InboundPeer = VerifiedPeer | PlaintextPeer;

/** With whom a caller shares what it may have at once: all connections of its name, or of its address. */
export function shareKey(peer: InboundPeer): string {
  return peer.spiffeId ?? clientKey(peer.address);
}
