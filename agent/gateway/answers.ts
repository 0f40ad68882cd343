import { problemAnswer, type Answer } from '#agent/http/answers.ts';
import type { OutboundProblem } from '#agent/outbound/answers.ts';
import { unreachable } from '#runtime/result.ts';
import type { RouteProblem } from './route-table.ts';

/** Why a request from outside goes nowhere. */
export type Refusal = RouteProblem | 'rate-limited' | 'not-a-proxy';

/** What somebody outside is told; the reason itself stays in our log under the decision ID. */
export function refusalAnswer(reason: Refusal, decisionId: string): Answer {
  const [status, title] = refusalWording(reason);
  return problemAnswer(status, title, decisionId);
}

function refusalWording(reason: Refusal): readonly [status: number, title: string] {
  switch (reason) {
    case 'rate-limited':
      return [429, 'Too many requests: come again later'];
    case 'unknown-host':
      return [421, 'This host is not served here'];
    case 'not-a-proxy':
      return [421, 'This is no proxy'];
    case 'no-route':
      return [404, 'There is nothing here'];
    case 'ambiguous-path':
      return [400, 'The path can be read in more than one way'];
    default:
      return unreachable(reason);
  }
}

/** What goes wrong inside the mesh is not the caller's business: only whether it may help to come again. */
export function unreachedAnswer(problem: OutboundProblem, decisionId: string): Answer {
  return isForNow(problem)
    ? problemAnswer(503, 'The service cannot be reached just now', decisionId)
    : problemAnswer(502, 'The service cannot be reached', decisionId);
}

function isForNow(problem: OutboundProblem): boolean {
  switch (problem) {
    case 'unknown-destination':
    case 'handshake-failed':
    case 'peer-not-verified':
    case 'wrong-peer':
    case 'refused-by-peer':
    case 'no-such-port':
    case 'token-not-issued':
    case 'token-unusable':
      return false;
    case 'not-known-yet':
    case 'no-identity':
    case 'own-svid-expired':
    case 'no-endpoint':
    case 'unreachable':
    case 'app-unreachable':
    case 'too-many-requests-in-flight':
    case 'stopping':
    case 'no-token':
    case 'too-many-tokens':
      return true;
    default:
      return unreachable(problem);
  }
}
