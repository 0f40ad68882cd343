import { exchangeProblemAnswer, exchangeProblemName, headProblemAnswer, type Answer } from '#agent/http/answers.ts';
import type { AccessLog, Parties, Refused } from '#agent/access-log/access-log.ts';
import { failureOf, type FailureReason } from '#agent/admin/failure-reason.ts';
import type { AgentCounters } from '#agent/admin/metrics.ts';
import type { AgentEmit } from '#agent/events.ts';
import type { Deadlines } from '#agent/http/deadlines.ts';
import type { HeadProblem } from '#agent/http/head.ts';
import type { ExchangeProblem } from '#agent/http/message.ts';
import type { RequestEnd, RequestReport, StreamEnd } from '#agent/http/service.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { Clock } from '#runtime/clock.ts';
import { newDecisionId } from '#runtime/decision-id.ts';
import { outboundAnswer, type OutboundProblem } from './answers.ts';

export interface ReportParts {
  readonly counters: AgentCounters;
  readonly emit: AgentEmit;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** Undefined where none is kept. */
  readonly accessLog: AccessLog | undefined;
  /** Admitted and not over yet, of all destinations. */
  readonly inFlight: { requests: number };
}

/** Whom the app calls. */
export interface Callee {
  /** Of the workload; what the app wrote where it names none. */
  readonly name: string;
  /** Undefined where it is no workload's. */
  readonly port?: number;
}

/**
 * Counts and logs what our own app sends to one destination, and words our own answers. Holds no request's state: what
 * was asked is said along with what is refused before it is admitted, and by the end of everything else.
 */
export class OutboundReport implements RequestReport<OutboundProblem> {
  /** Who must answer, as soon as that is known. */
  peer: SpiffeId | undefined;
  readonly #parts: ReportParts;
  readonly #callee: Callee;

  constructor(parts: ReportParts, callee: Callee) {
    this.#parts = parts;
    this.#callee = callee;
  }

  refused(reason: HeadProblem | 'protected-header-in-connection', what: Refused): Answer {
    const answer = headProblemAnswer(reason, this.#refuse(reason, 'bad-request'));
    this.#parts.accessLog?.denied(this.#parties(), what, answer);
    return answer;
  }
  /** Nothing of it was passed on. */
  notAdmitted(problem: OutboundProblem, what: Refused): Answer {
    const answer = this.unreachable(problem);
    const { accessLog } = this.#parts;
    if (isRefusal(problem)) accessLog?.denied(this.#parties(), what, answer);
    else accessLog?.failed(this.#parties(), what, answer);
    return answer;
  }
  unreachable(problem: OutboundProblem): Answer {
    return outboundAnswer(problem, isRefusal(problem) ? this.#refuse(problem, problem) : this.#fail(problem, problem));
  }
  failed(problem: ExchangeProblem): Answer {
    if (problem === 'downstream-gone') return exchangeProblemAnswer(problem, ''); // our own app changed its mind
    return exchangeProblemAnswer(problem, this.#fail(exchangeProblemName(problem), failureOf(problem)));
  }
  admitted(): void {
    this.#parts.inFlight.requests += 1;
  }
  finished(end: RequestEnd): void {
    const { accessLog, counters, deadlines, inFlight } = this.#parts;
    inFlight.requests -= 1;
    const durationMs = deadlines.nowMs() - end.startedMs;
    counters.outbound.finished(durationMs, end);
    if (end.answeredBy !== 'us') counters.requestsByPeer.add(this.#label);
    if (end.answeredBy === 'agent') this.#answeredByAgent(end.status);
    if (accessLog !== undefined) accessLog.request(this.#parties(), end, durationMs);
  }
  upgraded(): void {
    this.#parts.inFlight.requests -= 1;
    this.opened();
  }
  /** An opaque stream that could not be opened. */
  neverOpened(problem: OutboundProblem): void {
    this.#parts.counters.streams += 1;
    this.notAdmitted(problem, 'opaque');
  }
  /** An opaque stream begins. */
  opened(): void {
    this.#parts.counters.streams += 1;
    this.#parts.counters.openStreams += 1;
  }
  upgradeEnded(end: StreamEnd): void {
    const { accessLog, clock, counters, emit } = this.#parts;
    counters.openStreams -= 1;
    counters.outbound.streamEnded(end);
    accessLog?.stream(this.#parties(), end, clock.monotonic() - end.startedMs);
    if (end.outcome === 'ended') return;
    counters.resets += 1;
    counters.outbound.failed('stream-cut', this.#label);
    emit({ event: 'stream.reset', destination: this.#callee.name, reason: 'cut' });
  }

  /** For counting by: a name that the app invented is none (A74). */
  get #label(): string {
    return this.peer ?? (this.#callee.port === undefined ? 'unknown' : this.#callee.name);
  }
  #answeredByAgent(status: number): void {
    const { counters } = this.#parts;
    const isDenied = status === 401 || status === 403;
    if (isDenied) counters.denied += 1;
    else counters.failed += 1;
    counters.outbound.failed(isDenied ? 'refused-by-peer' : 'failed-at-peer', this.#label);
  }
  #refuse(reason: string, counted: FailureReason): string {
    this.#parts.counters.denied += 1;
    return this.#log('outbound.refused', reason, counted);
  }
  #fail(reason: string, counted: FailureReason): string {
    this.#parts.counters.failed += 1;
    return this.#log('outbound.failed', reason, counted);
  }
  #log(event: 'outbound.refused' | 'outbound.failed', reason: string, counted: FailureReason): string {
    const { counters, emit } = this.#parts;
    counters.outbound.failed(counted, this.#label);
    const decisionId = newDecisionId();
    emit({ event, destination: this.#callee.name, reason, decisionId });
    return decisionId;
  }
  #parties(): Parties {
    const { name, port } = this.#callee;
    const destination = port === undefined ? name : `${name}:${port}`;
    return { direction: 'outbound', peer: this.peer, client: undefined, destination };
  }
}

/** Somebody would not, rather than could not. */
function isRefusal(problem: OutboundProblem): problem is 'unknown-destination' | 'refused-by-peer' {
  return problem === 'unknown-destination' || problem === 'refused-by-peer';
}
