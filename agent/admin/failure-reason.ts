import type { ExchangeProblem } from '#agent/http/message.ts';

/** Why a request, stream or connection came to nothing: the `reason` of `eastwest_failures_total`. */
export type FailureReason =
  // what was asked could not be read, or means nothing here
  | 'bad-request'
  | 'bad-request-body'
  | 'downstream-timeout'
  | 'no-such-port'
  | 'unknown-destination'
  | 'unknown-host'
  | 'not-a-proxy'
  | 'no-route'
  | 'ambiguous-path'
  // who asked may not
  | 'no-rule-matches'
  | 'denied-by-rule'
  | 'denied-by-list'
  | 'peer-svid-expired'
  | 'port-is-strict'
  | 'token-refused'
  | 'token-denied'
  | 'insufficient-scope'
  | 'rate-limited'
  | 'refused-by-peer'
  // there was no way
  | 'not-known-yet'
  | 'no-identity'
  | 'own-svid-expired'
  | 'no-endpoint'
  | 'unreachable'
  | 'handshake-failed'
  | 'wrong-peer'
  | 'peer-not-verified'
  | 'app-unreachable'
  | 'no-token'
  | 'token-not-issued'
  | 'token-unusable'
  | 'too-many-tokens'
  | 'stopping'
  | 'too-many-connections'
  | 'too-many-requests'
  | 'too-many-requests-in-flight'
  // the answer
  | 'upstream-closed'
  | 'upstream-broken'
  | 'upstream-timeout'
  | 'bad-response'
  | 'failed-at-peer'
  | 'stream-cut';

/** An exchange's problem as a reason to count by; the log has the whole of it. */
export function failureOf(problem: Exclude<ExchangeProblem, 'downstream-gone'>): FailureReason {
  if (typeof problem === 'string') return problem;
  return 'badRequestBody' in problem ? 'bad-request-body' : 'bad-response';
}
