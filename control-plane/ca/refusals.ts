import type { CsrProblem } from '#certs/csr.ts';
import type { AttestProblem } from '#control-plane/attest/attestor.ts';
import type { MessageProblem } from '#proto/messages.ts';
import type { Refusal } from '#proto/refusal.ts';
import { unreachable } from '#runtime/result.ts';

export type IssueRefusalReason =
  | MessageProblem
  | `csr-${CsrProblem}`
  | AttestProblem
  | 'key-of-another-identity'
  | 'rate-limited'
  | 'too-many-failed-attestations';

/** What a stranger may learn: which tokens exist, and what became of them, is not part of it. */
export function issueRefusal(reason: IssueRefusalReason, retryAfterMs: number): Refusal {
  switch (reason) {
    case 'unknown-join-token':
    case 'join-token-spent':
    case 'join-token-expired':
      return { code: 'unauthenticated', reason: 'join-token-not-accepted' };
    case 'no-current-svid':
    case 'bad-current-svid':
      return { code: 'unauthenticated', reason: 'current-svid-not-accepted' };
    case 'not-registered':
    case 'key-of-another-identity':
      return { code: 'permission-denied', reason };
    case 'rate-limited':
    case 'too-many-failed-attestations':
      return { code: 'resource-exhausted', reason, retryAfterMs };
    case 'csr-too-large':
    case 'csr-malformed':
    case 'csr-weak-key':
    case 'csr-bad-signature':
    case 'malformed':
    case 'bad-attestation':
    case 'bad-chain':
    case 'bad-trust-bundle':
    case 'bad-workload-name':
    case 'bad-spiffe-id':
    case 'bad-endpoint':
    case 'bad-port':
    case 'bad-version':
    case 'bad-time':
    case 'bad-policy-name':
    case 'bad-policy-part':
    case 'bad-token-issuer':
    case 'text-too-long':
    case 'too-many-items':
    case 'unknown-kind':
      return { code: 'invalid-argument', reason };
    default:
      return unreachable(reason);
  }
}
