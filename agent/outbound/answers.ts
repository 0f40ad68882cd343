import { problemAnswer, type Answer } from '#agent/http/answers.ts';
import type { OpenProblem } from '#agent/tunnel/peer.ts';
import { unreachable } from '#runtime/result.ts';
import type { DestinationProblem } from './destination.ts';

export type OutboundProblem = OpenProblem | DestinationProblem;

/** What our own app is told when its call could not be made. Never plaintext instead. */
export function outboundAnswer(problem: OutboundProblem, decisionId: string): Answer {
  const [status, title] = wording(problem);
  return problemAnswer(status, title, decisionId);
}

function wording(problem: OutboundProblem): readonly [status: number, title: string] {
  switch (problem) {
    case 'unknown-destination':
      return [502, 'Not a destination of this workload: add it to outbound.upstreams'];
    case 'not-known-yet':
    case 'no-identity':
      return [503, 'The mesh is not ready yet'];
    case 'own-svid-expired':
      return [503, 'The certificate of this workload has expired and could not be renewed'];
    case 'no-endpoint':
      return [503, 'No endpoint of the destination is known'];
    case 'unreachable':
      return [503, 'The destination cannot be reached'];
    case 'handshake-failed':
    case 'peer-not-verified':
      return [502, 'The destination and this workload could not prove themselves to each other'];
    case 'wrong-peer':
      return [502, 'Another workload answers at the address of the destination'];
    case 'refused-by-peer':
      return [403, 'The destination does not admit this workload'];
    case 'no-such-port':
      return [404, 'The destination has no such HTTP port'];
    case 'app-unreachable':
      return [503, 'The app of the destination cannot be reached'];
    case 'too-many-requests-in-flight':
      return [503, 'Too many requests are in flight to the destination'];
    case 'no-token':
      return [503, 'The issuer of tokens for the destination cannot be reached'];
    case 'token-not-issued':
      return [503, 'The issuer of tokens gives this workload none for the destination'];
    case 'token-unusable':
      return [503, 'What the issuer of tokens gave is no token for the destination'];
    case 'too-many-tokens':
      return [503, 'This workload uses too many tokens at once'];
    case 'stopping':
      return [503, 'The agent is stopping'];
    default:
      return unreachable(problem);
  }
}
