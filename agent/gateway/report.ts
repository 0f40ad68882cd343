import type { Parties, Refused } from '#agent/access-log/access-log.ts';
import { failureOf, type FailureReason } from '#agent/admin/failure-reason.ts';
import { exchangeProblemAnswer, exchangeProblemName, headProblemAnswer, type Answer } from '#agent/http/answers.ts';
import type { HeadProblem } from '#agent/http/head.ts';
import type { ExchangeProblem } from '#agent/http/message.ts';
import type { RequestEnd, RequestReport, StreamEnd } from '#agent/http/service.ts';
import type { OutboundProblem } from '#agent/outbound/answers.ts';
import type { Outlet } from '#agent/outbound/outlet.ts';
import { newDecisionId } from '#runtime/decision-id.ts';
import { refusalAnswer, unreachedAnswer, type Refusal } from './answers.ts';
import type { GatewayParts } from './gateway-parts.ts';

/** Where a caller's requests go: an upstream, or nowhere. */
export type Destination = Outlet | { readonly nowhere: string };

/** Counts and logs what one caller from outside sends to one upstream, and words our own answers to it. */
export class GatewayReport implements RequestReport<OutboundProblem> {
  readonly #parts: GatewayParts;
  readonly #client: string;
  readonly #destination: Destination;

  constructor(parts: GatewayParts, client: string, destination: Destination) {
    this.#parts = parts;
    this.#client = client;
    this.#destination = destination;
  }

  /** The answer to a request that goes nowhere. It is said as an upstream's, so its end is told as one's. */
  refusal(reason: Refusal): Answer {
    return refusalAnswer(reason, this.#log('gateway.refused', reason, reason));
  }
  refused(reason: HeadProblem | 'protected-header-in-connection' | 'not-a-proxy', what: Refused): Answer {
    const answer =
      reason === 'not-a-proxy'
        ? this.refusal(reason)
        : headProblemAnswer(reason, this.#log('gateway.refused', reason, 'bad-request'));
    this.#parts.accessLog?.denied(this.#parties(), what, answer);
    return answer;
  }
  notAdmitted(problem: OutboundProblem, what: Refused): Answer {
    const answer = this.unreachable(problem);
    this.#parts.accessLog?.failed(this.#parties(), what, answer);
    return answer;
  }
  unreachable(problem: OutboundProblem): Answer {
    return unreachedAnswer(problem, this.#log('gateway.failed', problem, problem));
  }
  failed(problem: ExchangeProblem): Answer {
    if (problem === 'downstream-gone') return exchangeProblemAnswer(problem, ''); // the caller changed its mind
    const decisionId = this.#log('gateway.failed', exchangeProblemName(problem), failureOf(problem));
    return exchangeProblemAnswer(problem, decisionId);
  }
  admitted(): void {
    this.#parts.inFlight.requests += 1;
  }
  finished(end: RequestEnd): void {
    const { accessLog, counters, deadlines, inFlight } = this.#parts;
    inFlight.requests -= 1;
    const durationMs = deadlines.nowMs() - end.startedMs;
    counters.gateway.finished(durationMs, end);
    if (end.answeredBy === 'agent' && !('nowhere' in this.#destination)) {
      const isDenied = end.status === 401 || end.status === 403;
      counters.gateway.failed(isDenied ? 'refused-by-peer' : 'failed-at-peer', this.#label);
    }
    if (accessLog !== undefined) accessLog.request(this.#parties(), end, durationMs);
  }
  upgraded(): void {
    this.#parts.inFlight.requests -= 1;
    this.#parts.counters.openStreams += 1;
  }
  upgradeEnded(end: StreamEnd): void {
    const { accessLog, clock, counters } = this.#parts;
    counters.openStreams -= 1;
    counters.gateway.streamEnded(end);
    if (end.outcome === 'cut') counters.gateway.failed('stream-cut', this.#label);
    accessLog?.stream(this.#parties(), end, clock.monotonic() - end.startedMs);
  }

  /** For counting by: the upstream; callers are too many (A74). */
  get #label(): string {
    const to = this.#destination;
    return 'nowhere' in to ? 'unknown' : (to.report.peer ?? to.config.workload);
  }
  #log(event: 'gateway.refused' | 'gateway.failed', reason: string, counted: FailureReason): string {
    const { counters, emit } = this.#parts;
    counters.gateway.failed(counted, this.#label);
    const decisionId = newDecisionId();
    const { client, destination } = this.#parties();
    if (event === 'gateway.refused') emit({ event, client, reason, decisionId });
    else emit({ event, destination, reason, decisionId });
    return decisionId;
  }
  #parties(): Parties & { readonly client: string } {
    const to = this.#destination;
    const [peer, destination] =
      'nowhere' in to ? [undefined, to.nowhere] : [to.report.peer, `${to.config.workload}:${to.config.port}`];
    return { direction: 'gateway', peer, client: this.#client, destination };
  }
}
