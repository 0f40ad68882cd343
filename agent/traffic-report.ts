import type { AccessLog, Parties, Refused } from '#agent/access-log/access-log.ts';
import { failureOf, type FailureReason } from '#agent/admin/failure-reason.ts';
import type { AgentCounters } from '#agent/admin/metrics.ts';
import type { Traffic } from '#agent/admin/traffic.ts';
import type { AgentEmit } from '#agent/events.ts';
import { exchangeProblemAnswer, exchangeProblemName, headProblemAnswer, type Answer } from '#agent/http/answers.ts';
import type { Deadlines } from '#agent/http/deadlines.ts';
import type { UnreadProblem } from '#agent/http/head.ts';
import type { ExchangeProblem } from '#agent/http/message.ts';
import type { RequestEnd, RequestReport, StreamEnd } from '#agent/http/service.ts';
import type { Room } from './ceiling.ts';
import type { Clock } from '#runtime/clock.ts';
import { newDecisionId } from '#runtime/decision-id.ts';

export interface ReportParts {
  readonly counters: AgentCounters;
  readonly emit: AgentEmit;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** Undefined where none is kept. */
  readonly accessLog: AccessLog | undefined;
  /** Admitted and not over yet, of that direction. */
  readonly inFlight: Room;
}

/** `denied`: by a rule. `refused`: it means nothing here. `failed`: it may, but came to nothing. */
export type Verdict = 'denied' | 'refused' | 'failed';

/**
 * Counts and logs what passes between two parties, and words our own answers. Holds no request's state: what was asked is
 * said along with what is refused before it is admitted, and by the end of everything else.
 */
export abstract class TrafficReport<P> implements RequestReport<P> {
  protected readonly parts: ReportParts;
  readonly #traffic: Traffic;

  constructor(parts: ReportParts, direction: Parties['direction']) {
    this.parts = parts;
    this.#traffic = parts.counters[direction];
  }

  /** Something has come: of a request its head. */
  abstract begun(): void;
  abstract unreachable(problem: P): Answer;
  /** An opaque stream begins. */
  abstract opened(): void;

  /** For counting by: never a name that a stranger invented (A74). */
  protected abstract readonly label: string;
  protected abstract parties(log: AccessLog): Parties;
  /** To whoever reads the log. */
  protected abstract tell(verdict: Verdict, reason: string, decisionId: string): void;
  /** By the app, or by the other agent for it. */
  protected abstract answeredBy(who: 'app' | 'agent', end: RequestEnd): void;
  protected abstract closed(outcome: StreamEnd['outcome']): void;

  refused(reason: UnreadProblem, what: Refused): Answer {
    const counted = reason === 'head-timeout' ? 'downstream-timeout' : 'bad-request';
    return this.logDenied(what, headProblemAnswer(reason, this.decide('refused', reason, counted)), reason);
  }
  /** A head that cannot be read is a request all the same. */
  unread(reason: UnreadProblem): Answer {
    this.begun();
    return this.refused(reason, 'unread');
  }
  failed(problem: ExchangeProblem): Answer {
    if (problem === 'downstream-gone') return exchangeProblemAnswer(problem, ''); // the caller changed its mind
    return exchangeProblemAnswer(problem, this.decide('failed', exchangeProblemName(problem), failureOf(problem)));
  }
  admitted(): void {
    this.parts.inFlight.enter();
  }
  finished(end: RequestEnd): void {
    const { accessLog, deadlines, inFlight } = this.parts;
    inFlight.leave();
    const durationMs = deadlines.nowMs() - end.startedMs;
    this.#traffic.finished(durationMs, end);
    if (end.answeredBy !== 'us') this.answeredBy(end.answeredBy, end);
    if (accessLog === undefined) return;
    accessLog.request(this.parties(accessLog), end, durationMs, this.reasonOf(end.decisionId));
  }
  upgraded(): void {
    this.parts.inFlight.leave();
    this.opened();
  }
  upgradeEnded(end: StreamEnd): void {
    const { accessLog, clock } = this.parts;
    this.#traffic.streamEnded(end);
    if (end.outcome === 'cut') this.countFailure('stream-cut');
    this.closed(end.outcome);
    if (accessLog === undefined) return;
    const durationMs = clock.monotonic() - end.startedMs;
    accessLog.stream(this.parties(accessLog), end, durationMs, this.reasonOf(end.decisionId));
  }

  /** Of a decision to end what was admitted; undefined: it was another one. */
  protected reasonOf(_decisionId: string | undefined): string | undefined {
    return undefined;
  }
  protected countFailure(reason: FailureReason): void {
    this.#traffic.failed(reason, this.label);
  }
  /** Gives the decision a name, under which it is counted, logged and told to the caller. */
  protected decide(verdict: Verdict, reason: string, counted: FailureReason): string {
    this.countFailure(counted);
    const decisionId = newDecisionId();
    this.tell(verdict, reason, decisionId);
    return decisionId;
  }
  protected logDenied(what: Refused, answer: Answer, reason: string): Answer {
    const { accessLog } = this.parts;
    accessLog?.denied(this.parties(accessLog), what, { answer, reason });
    return answer;
  }
  protected logFailed(what: Refused, answer: Answer, reason: string): Answer {
    const { accessLog } = this.parts;
    accessLog?.failed(this.parties(accessLog), what, { answer, reason });
    return answer;
  }
}
