import type { Parties, Refused } from '#agent/access-log/access-log.ts';
import type { FailureReason } from '#agent/admin/failure-reason.ts';
import type { Answer } from '#agent/http/answers.ts';
import type { RequestEnd, StreamEnd } from '#agent/http/service.ts';
import { TrafficReport, type ReportParts, type Verdict } from '#agent/traffic-report.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import { outboundAnswer, type OutboundProblem } from './answers.ts';

/** Whom the app calls. */
export interface Callee {
  /** Of the workload; what the app wrote where it names none. */
  readonly name: string;
  /** Undefined where it is no workload's. */
  readonly port?: number;
}

/** Counts and logs what our own app sends to one destination. */
export class OutboundReport extends TrafficReport<OutboundProblem> {
  /** Who must answer, as soon as that is known. */
  peer: SpiffeId | undefined;
  readonly #callee: Callee;

  constructor(parts: ReportParts, callee: Callee) {
    super(parts, 'outbound');
    this.#callee = callee;
  }

  begun(): void {
    this.parts.counters.requests += 1;
  }
  /** Nothing of it was passed on. */
  notAdmitted(problem: OutboundProblem, what: Refused): Answer {
    const answer = this.unreachable(problem);
    return isRefusal(problem) ? this.logDenied(what, answer, problem) : this.logFailed(what, answer, problem);
  }
  unreachable(problem: OutboundProblem): Answer {
    return outboundAnswer(problem, this.decide(isRefusal(problem) ? 'refused' : 'failed', problem, problem));
  }
  /** An opaque stream that could not be opened. */
  neverOpened(problem: OutboundProblem): void {
    this.parts.counters.streams += 1;
    if (isRefusal(problem)) this.notAdmitted(problem, 'opaque');
    else this.logFailed('opaque', outboundAnswer(problem, super.decide('failed', problem, problem)), problem);
  }
  opened(): void {
    this.parts.counters.streams += 1;
    this.parts.counters.openStreams += 1;
  }

  protected get label(): string {
    return this.peer ?? (this.#callee.port === undefined ? 'unknown' : this.#callee.name);
  }
  protected answeredBy(who: 'app' | 'agent', { status, decisionId = '' }: RequestEnd): void {
    const { counters, emit } = this.parts;
    counters.requestsByPeer.add(this.label);
    if (who === 'app') return;
    const isDenied = status === 401 || status === 403;
    if (isDenied) counters.denied += 1;
    else counters.failed += 1;
    const reason = isDenied ? 'refused-by-peer' : 'failed-at-peer';
    this.countFailure(reason);
    const event = isDenied ? 'outbound.refused' : 'outbound.failed';
    emit({ event, destination: this.#destination, reason, decisionId });
  }
  /** `eastwest_failed_total` is of requests. */
  protected override decide(verdict: Verdict, reason: string, counted: FailureReason): string {
    if (verdict === 'failed') this.parts.counters.failed += 1;
    return super.decide(verdict, reason, counted);
  }
  protected closed(outcome: StreamEnd['outcome']): void {
    const { counters, emit } = this.parts;
    counters.openStreams -= 1;
    if (outcome === 'ended') return;
    counters.resets += 1;
    emit({ event: 'stream.reset', destination: this.#destination, reason: 'cut' });
  }
  protected tell(verdict: Verdict, reason: string, decisionId: string): void {
    const { counters, emit } = this.parts;
    if (verdict !== 'failed') counters.denied += 1;
    const event = verdict === 'failed' ? 'outbound.failed' : 'outbound.refused';
    emit({ event, destination: this.#destination, reason, decisionId });
  }
  protected parties(): Parties {
    return { direction: 'outbound', peer: this.peer, client: undefined, destination: this.#destination };
  }
  get #destination(): string {
    const { name, port } = this.#callee;
    return port === undefined ? name : `${name}:${port}`;
  }
}

/** Somebody would not, rather than could not. */
function isRefusal(problem: OutboundProblem): problem is 'unknown-destination' | 'refused-by-peer' {
  return problem === 'unknown-destination' || problem === 'refused-by-peer';
}
