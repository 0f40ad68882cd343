import { exchangeProblemAnswer, exchangeProblemName, headProblemAnswer, type Answer } from '#agent/http/answers.ts';
import type { AgentCounters } from '#agent/admin/metrics.ts';
import type { AgentEmit } from '#agent/events.ts';
import type { HeadProblem } from '#agent/http/head.ts';
import type { ExchangeProblem } from '#agent/http/message.ts';
import type { RequestEnd, RequestReport } from '#agent/http/service.ts';
import { newDecisionId } from '#runtime/decision-id.ts';
import { outboundAnswer, type OutboundProblem } from './answers.ts';

export interface ReportParts {
  readonly counters: AgentCounters;
  readonly emit: AgentEmit;
  /** Admitted and not over yet, of all destinations. */
  readonly inFlight: { requests: number };
}

/** Counts and logs what our own app sends to one destination, and words our own answers. Holds no request's state. */
export class OutboundReport implements RequestReport<OutboundProblem> {
  readonly #parts: ReportParts;
  readonly #destination: string;

  constructor(parts: ReportParts, destination: string) {
    this.#parts = parts;
    this.#destination = destination;
  }

  refused(reason: HeadProblem | 'protected-header-in-connection'): Answer {
    return headProblemAnswer(reason, this.#refuse(reason));
  }
  unreachable(problem: OutboundProblem): Answer {
    const isRefusal = problem === 'unknown-destination' || problem === 'refused-by-peer';
    return outboundAnswer(problem, isRefusal ? this.#refuse(problem) : this.#fail(problem));
  }
  failed(problem: ExchangeProblem): Answer {
    if (problem === 'downstream-gone') return exchangeProblemAnswer(problem, ''); // our own app changed its mind
    return exchangeProblemAnswer(problem, this.#fail(exchangeProblemName(problem)));
  }
  admitted(): void {
    this.#parts.inFlight.requests += 1;
  }
  finished({ answeredBy, status }: RequestEnd): void {
    const { counters, inFlight } = this.#parts;
    inFlight.requests -= 1;
    if (answeredBy === 'us') return;
    counters.requestsByPeer.add(this.#destination);
    if (answeredBy === 'app') return;
    if (status === 401 || status === 403) counters.denied += 1;
    else counters.failed += 1;
  }
  upgraded(): void {
    this.#parts.inFlight.requests -= 1;
    this.opened();
  }
  /** An opaque stream that could not be opened. */
  neverOpened(problem: OutboundProblem): void {
    this.#parts.counters.streams += 1;
    this.unreachable(problem);
  }
  /** An opaque stream begins. */
  opened(): void {
    this.#parts.counters.streams += 1;
    this.#parts.counters.openStreams += 1;
  }
  upgradeEnded(how: 'ended' | 'cut'): void {
    this.#parts.counters.openStreams -= 1;
    if (how === 'ended') return;
    this.#parts.counters.resets += 1;
    this.#parts.emit({ event: 'stream.reset', destination: this.#destination, reason: 'cut' });
  }

  #refuse(reason: string): string {
    this.#parts.counters.denied += 1;
    return this.#log('outbound.refused', reason);
  }
  #fail(reason: string): string {
    this.#parts.counters.failed += 1;
    return this.#log('outbound.failed', reason);
  }
  #log(event: 'outbound.refused' | 'outbound.failed', reason: string): string {
    const decisionId = newDecisionId();
    this.#parts.emit({ event, destination: this.#destination, reason, decisionId });
    return decisionId;
  }
}
