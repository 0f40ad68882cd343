import { createHash } from 'node:crypto';
import type { RegistryChange } from '#control-plane/registry/transitions.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

export type AttestationMethod = 'join-token' | 'current-svid' | 'control-plane';

/** What is worth remembering for ever. Names, serials and thumbprints only: no token, key or CSR has a field to go in. */
export type AuditEntry =
  | {
      readonly kind: 'authority-created';
      readonly authority: 'root' | 'intermediate';
      readonly serial: string;
      readonly notAfterMs: number;
    }
  | { readonly kind: 'workload-registered'; readonly spiffeId: string; readonly name: string }
  | {
      readonly kind: 'join-token-created';
      readonly spiffeId: string;
      readonly tokenId: string;
      readonly expiresAtMs: number;
    }
  | {
      readonly kind: 'certificate-issued';
      readonly spiffeId: string;
      readonly serial: string;
      readonly keyThumbprint: string;
      readonly notAfterMs: number;
      readonly attestation: AttestationMethod;
      readonly tokenId?: string;
      readonly peer: string;
    }
  | {
      readonly kind: 'certificate-refused';
      readonly reason: string;
      /** What exactly, e.g. the verifier's word about a caller's SVID. */
      readonly detail?: string;
      readonly spiffeId?: string;
      readonly keyThumbprint?: string;
      readonly attestation?: AttestationMethod;
      readonly peer: string;
      /** How many refusals this record stands for: those of a rate limit are gathered for 10 s. */
      readonly repeats: number;
    }
  | {
      readonly kind: 'policy-changed';
      /** `KIND/NAMESPACE/NAME` */
      readonly policy: string;
      readonly change: 'created' | 'changed' | 'deleted';
      /** Of the mesh, after it. */
      readonly revision: number;
      /** The file it comes from; empty: the operator. */
      readonly source: string;
      /** Hex SHA-256 of the new document's JSON; empty: it was deleted. */
      readonly digest: string;
    }
  | {
      readonly kind: 'registration-changed';
      /** `Client/cart` or `Service/payments` */
      readonly registration: string;
      /** Of this registration: another one of the same name has another. */
      readonly id: string;
      readonly change: RegistryChange;
      /** Of the registration, after it. */
      readonly revision: number;
      /** Hex SHA-256 of the JSON of what is in force after it; empty: nothing is. */
      readonly inForce: string;
      /** The same of what waits for approval. */
      readonly proposed: string;
      readonly operator: string;
      readonly operatorId: string;
      /** Whose proposal it was that is approved or rejected. */
      readonly proposedBy?: string;
      /** Of the secret that was made. */
      readonly secretId?: string;
    }
  | {
      readonly kind: 'operator-added' | 'operator-removed';
      readonly name: string;
      readonly id: string;
      readonly roles: readonly string[];
      readonly operator: string;
      readonly operatorId: string;
    }
  | {
      readonly kind: 'signing-key-changed';
      readonly kid: string;
      readonly change: 'published' | 'signs' | 'retired' | 'dropped' | 'revoked';
      /** Who revoked it; empty: its time had come. */
      readonly operator: string;
      readonly operatorId: string;
    }
  | {
      readonly kind: 'tokens-issued';
      /** client_id */
      readonly client: string;
      readonly audience: string;
      readonly scopes: readonly string[];
      readonly grant: string;
      /** How many tokens this record stands for: those of some seconds are gathered. */
      readonly count: number;
    }
  | {
      readonly kind: 'token-refused';
      readonly reason: string;
      readonly detail: string;
      /** A client_id that is registered; empty: nobody that we know. */
      readonly client: string;
      readonly audience: string;
      readonly peer: string;
      readonly repeats: number;
    }
  | {
      readonly kind: 'administration-refused';
      readonly action: string;
      /** What it was about, e.g. `Client/cart`; empty: nothing in particular. */
      readonly subject: string;
      readonly reason: string;
      /** Empty: nobody that we know. */
      readonly operator: string;
      readonly operatorId: string;
      /** How many refusals this record stands for. */
      readonly repeats: number;
    };

export interface AuditRow {
  /** From 1, without gaps. */
  readonly seq: number;
  /** JSON: `seq`, `atMs` and the entry's fields. */
  readonly body: string;
  /** SHA-256 over a fixed prefix, the previous row's hash (32 zero bytes before the first) and `body`. */
  readonly hash: Buffer;
}

export const beforeFirst = { seq: 0, hash: Buffer.alloc(32) } as const;
const prefix = Buffer.from('eastwest audit 1\n');

/** The row that follows `previous`. */
export function nextAuditRow(previous: Pick<AuditRow, 'seq' | 'hash'>, atMs: number, entry: AuditEntry): AuditRow {
  const seq = previous.seq + 1;
  const body = JSON.stringify({ seq, atMs: Math.round(atMs), ...entry });
  return { seq, body, hash: hashOf(previous.hash, body) };
}

function hashOf(previous: Uint8Array, body: string): Buffer {
  return createHash('sha256').update(prefix).update(previous).update(body).digest();
}

export interface AuditProblem {
  /** The first row that is wrong, or the one that should have been there. */
  readonly seq: number;
  readonly problem: 'missing-row' | 'wrong-hash' | 'malformed-body';
}

/**
 * Follows the chain from its first row: a changed, missing, swapped or inserted row is found. Rows cut off at the end leave
 * a valid shorter chain, so compare `head` (hex) and `records` with what was noted elsewhere. `after`: the row before the
 * first of these, which was followed already.
 */
export function verifyAuditChain(
  rows: Iterable<AuditRow>,
  after: Pick<AuditRow, 'seq' | 'hash'> = beforeFirst,
): Result<{ records: number; head: string }, AuditProblem> {
  let previous = after;
  for (const row of rows) {
    const seq = previous.seq + 1;
    if (row.seq !== seq) return refuse({ seq, problem: 'missing-row' });
    if (!hashOf(previous.hash, row.body).equals(row.hash)) return refuse({ seq, problem: 'wrong-hash' });
    if (seqIn(row.body) !== seq) return refuse({ seq, problem: 'malformed-body' });
    previous = row;
  }
  return ok({ records: previous.seq, head: Buffer.from(previous.hash).toString('hex') });
}

function seqIn(body: string): unknown {
  try {
    return (JSON.parse(body) as { seq?: unknown }).seq;
  } catch {
    return undefined;
  }
}
