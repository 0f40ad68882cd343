import { unreachable } from '#runtime/result.ts';
import type { DenyReason } from './permit.ts';

/** What a stranger may learn of a refusal; the reason itself stays in our log under the decision ID. */
export function denyReply(reason: DenyReason): { status: 401 | 403; title: string; challenge?: string } {
  switch (reason) {
    case 'peer-svid-expired':
      return { status: 401, title: 'The certificate of this connection has expired: reconnect with a valid one' };
    case 'port-is-strict':
      return { status: 403, title: 'This port takes mutual TLS only: call it with a certificate of the mesh' };
    case 'token-refused':
    case 'token-denied': // one answer to all of them: nobody learns which check failed (A27)
      return { status: 401, title: 'A valid access token is needed here', challenge: 'Bearer error="invalid_token"' };
    case 'insufficient-scope':
      return {
        ...{ status: 403, title: 'The access token does not cover this operation' },
        challenge: 'Bearer error="insufficient_scope"',
      };
    case 'no-rule-matches':
    case 'denied-by-rule':
    case 'denied-by-list':
      return { status: 403, title: 'This workload does not admit the caller' };
    default:
      return unreachable(reason);
  }
}
