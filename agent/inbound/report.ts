import { failureOf, type FailureReason } from '#agent/admin/failure-reason.ts';
import type { AccessLog, Parties, Refused } from '#agent/access-log/access-log.ts';
import {
  exchangeProblemAnswer,
  exchangeProblemName,
  headProblemAnswer,
  problemAnswer,
  type Answer,
} from '#agent/http/answers.ts';
import type { HeadProblem } from '#agent/http/head.ts';
import type { ExchangeProblem } from '#agent/http/message.ts';
import type { RequestEnd, RequestReport, StreamEnd } from '#agent/http/service.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import { newDecisionId } from '#runtime/decision-id.ts';
import { unreachable } from '#runtime/result.ts';
import type { InboundParts } from './inbound-parts.ts';
import { denyReply } from './deny-reply.ts';
import type { DenyReason } from './permit.ts';

/** Why the app cannot be asked. */
export type AppProblem = 'app-unreachable' | 'too-many-requests';

/**
 * Counts and logs what one principal does at one port, and words our own answers to it. Holds no request's state: what
 * was asked is said along with what is refused before it is admitted, and by the end of everything else.
 */
export class InboundReport implements RequestReport<AppProblem> {
  readonly #parts: InboundParts;
  readonly #principal: SpiffeId;
  readonly #port: number;

  constructor(parts: InboundParts, principal: SpiffeId, port: number) {
    this.#parts = parts;
    this.#principal = principal;
    this.#port = port;
  }

  /** A request or an opaque stream has come. */
  begun(): void {
    this.#parts.counters.inboundRequests += 1;
  }
  denied(reason: DenyReason, what: Refused): Answer {
    const { status, title } = denyReply(reason);
    return this.#denied(what, problemAnswer(status, title, this.#deny('inbound.denied', reason, reason)));
  }
  refused(reason: HeadProblem | 'protected-header-in-connection', what: Refused): Answer {
    return this.#denied(what, headProblemAnswer(reason, this.#deny('inbound.refused', reason, 'bad-request')));
  }
  /** The port that a request names is none of ours, or is opaque. */
  noSuchPort(what: Refused): Answer {
    const decisionId = this.#deny('inbound.refused', 'no-such-port', 'no-such-port');
    return this.#denied(
      what,
      problemAnswer(
        404,
        what === 'opaque' ? 'This workload has no such port' : 'This workload has no such HTTP port',
        decisionId,
      ),
    );
  }
  /** It may, but it was not even admitted. */
  notAdmitted(problem: AppProblem, what: Refused): Answer {
    const answer = this.unreachable(problem);
    const { accessLog } = this.#parts;
    accessLog?.failed(this.#parties(accessLog), what, answer);
    return answer;
  }
  unreachable(problem: AppProblem): Answer {
    return problemAnswer(503, appProblemTitle(problem), this.#fail(problem, problem));
  }
  failed(problem: ExchangeProblem): Answer {
    if (problem === 'downstream-gone') return exchangeProblemAnswer(problem, ''); // the caller changed its mind
    return exchangeProblemAnswer(problem, this.#fail(exchangeProblemName(problem), failureOf(problem)));
  }
  admitted(): void {
    this.#parts.inFlight.requests += 1;
  }
  finished(end: RequestEnd): void {
    const { accessLog, counters, deadlines, inFlight } = this.#parts;
    inFlight.requests -= 1;
    const durationMs = deadlines.nowMs() - end.startedMs;
    counters.inbound.finished(durationMs, end);
    if (end.answeredBy !== 'us') this.answered();
    if (accessLog !== undefined) accessLog.request(this.#parties(accessLog), end, durationMs);
  }
  /** By the app. */
  answered(): void {
    this.#parts.counters.inboundRequestsByPeer.add(this.#principal);
  }
  upgraded(): void {
    this.#parts.inFlight.requests -= 1;
    this.opened();
  }
  /** An opaque stream has reached the app. */
  opened(): void {
    this.#parts.counters.inboundOpenStreams += 1;
  }
  upgradeEnded(end: StreamEnd): void {
    const { accessLog, clock, counters } = this.#parts;
    counters.inboundOpenStreams -= 1;
    counters.inbound.streamEnded(end);
    if (end.outcome === 'cut') counters.inbound.failed('stream-cut', this.#principal);
    accessLog?.stream(this.#parties(accessLog), end, clock.monotonic() - end.startedMs);
  }

  #denied(what: Refused, answer: Answer): Answer {
    const { accessLog } = this.#parts;
    accessLog?.denied(this.#parties(accessLog), what, answer);
    return answer;
  }
  #deny(event: 'inbound.denied' | 'inbound.refused', reason: string, counted: FailureReason): string {
    this.#parts.counters.inboundDenied += 1;
    return this.#log(event, reason, counted);
  }
  #fail(reason: string, counted: FailureReason): string {
    this.#parts.counters.inboundFailed += 1;
    return this.#log('inbound.failed', reason, counted);
  }
  #log(event: 'inbound.denied' | 'inbound.refused' | 'inbound.failed', reason: string, counted: FailureReason): string {
    const { counters, emit } = this.#parts;
    counters.inbound.failed(counted, this.#principal);
    const decisionId = newDecisionId();
    emit({ event, principal: this.#principal, port: this.#port, reason, decisionId });
    return decisionId;
  }
  #parties({ workload }: AccessLog): Parties {
    const destination = `${workload}:${this.#port}`;
    return { direction: 'inbound', peer: this.#principal, client: undefined, destination };
  }
}

function appProblemTitle(problem: AppProblem): string {
  switch (problem) {
    case 'app-unreachable':
      return 'The app cannot be reached';
    case 'too-many-requests':
      return 'Too many requests are in flight to this workload';
    default:
      return unreachable(problem);
  }
}
