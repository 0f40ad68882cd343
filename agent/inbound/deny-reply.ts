import { unreachable } from '#runtime/result.ts';
import type { DenyReason } from './permit.ts';

/** What a stranger may learn of a refusal; the reason itself stays in our log under the decision ID. */
export function denyReply(reason: DenyReason): { status: 401 | 403; title: string } {
  switch (reason) {
    case 'peer-svid-expired':
      return { status: 401, title: 'The certificate of this connection has expired: reconnect with a valid one' };
    case 'port-is-strict':
      return { status: 403, title: 'This port takes mutual TLS only: call it with a certificate of the mesh' };
    case 'no-rule-matches':
    case 'denied-by-rule':
    case 'denied-by-list':
      return { status: 403, title: 'This workload does not admit the caller' };
    default:
      return unreachable(reason);
  }
}
