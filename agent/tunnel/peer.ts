import type { Duplex } from 'node:stream';
import type { Address } from '#agent/config-types.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { Result } from '#runtime/result.ts';

/** A workload's port as callers see it: who must answer, where, and how it is spoken to. */
export interface Peer {
  readonly workload: string;
  readonly spiffeId: SpiffeId;
  /** The workload's own port, named in the CONNECT authority. */
  readonly port: number;
  readonly protocol: 'http' | 'tcp';
  readonly transport: 'tunnel' | 'mtls';
  readonly endpoints: readonly Address[];
}

/** Why no stream to a peer could be had. Nothing was sent to it. */
export type OpenProblem =
  | 'no-identity'
  | 'own-svid-expired'
  | 'no-endpoint'
  | 'unreachable'
  | 'handshake-failed'
  | 'wrong-peer'
  | 'peer-not-verified'
  | 'refused-by-peer'
  | 'app-unreachable'
  | 'stopping';

/** One byte stream to the peer's app, inside a session whose both ends were verified. */
export interface PeerStream {
  readonly duplex: Duplex;
  /** False once the next message should go to a newer session: this one's certificates are about to expire. */
  isFresh(): boolean;
  /** Called once when the stream stops being fresh. Returns how to stop listening. */
  onRetired(listener: () => void): () => void;
}

export type OpenPeer = (peer: Peer, signal: AbortSignal) => Promise<Result<PeerStream, OpenProblem>>;
