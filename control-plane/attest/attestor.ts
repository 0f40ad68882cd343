import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { AttestationMethod } from '#control-plane/audit/record.ts';
import type { Writer } from '#control-plane/store/store.ts';
import type { Result } from '#runtime/result.ts';

export type AttestProblem =
  | 'unknown-join-token'
  | 'join-token-spent'
  | 'join-token-expired'
  | 'no-current-svid'
  | 'bad-current-svid'
  | 'not-registered';

/** Who asks, and how that was proved. */
export interface Attested {
  readonly method: AttestationMethod;
  readonly spiffeId: SpiffeId;
  readonly tokenId?: string;
  /** Uses the proof up, in the transaction that records the issuance. */
  consume(writer: Writer, nowMs: number): Result<void, AttestProblem>;
}

export interface AttestRefusal {
  readonly problem: AttestProblem;
  /** For the audit log, never for the caller. */
  readonly detail?: string;
  /** As far as the proof told whom it meant. */
  readonly spiffeId?: SpiffeId;
}

export type Attesting = Result<Attested, AttestRefusal>;
