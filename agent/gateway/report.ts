import type { Parties, Refused } from '#agent/access-log/access-log.ts';
import type { Answer } from '#agent/http/answers.ts';
import type { OutboundProblem } from '#agent/outbound/answers.ts';
import type { RequestEnd } from '#agent/http/service.ts';
import type { Outlet } from '#agent/outbound/outlet.ts';
import { TrafficReport, type ReportParts, type Verdict } from '#agent/traffic-report.ts';
import { refusalAnswer, unreachedAnswer, type Refusal } from './answers.ts';

/** Where a caller's requests go: an upstream, or nowhere. */
export type Destination = Outlet | { readonly nowhere: string };

/** Counts and logs what one caller from outside sends to one upstream. */
export class GatewayReport extends TrafficReport<OutboundProblem> {
  readonly #client: string;
  readonly #destination: Destination;

  constructor(parts: ReportParts, client: string, destination: Destination) {
    super(parts, 'gateway');
    this.#client = client;
    this.#destination = destination;
  }

  begun(): void {
    this.parts.counters.gatewayRequests += 1;
  }
  /** The answer to a request that goes nowhere. It is said as an upstream's, so its end is told as one's. */
  refusal(reason: Refusal): Answer {
    return refusalAnswer(reason, this.decide('refused', reason, reason));
  }
  /** The same, as the connection's last answer. */
  turnedAway(reason: Refusal, what: Refused): Answer {
    return this.logDenied(what, this.refusal(reason), reason);
  }
  notAdmitted(problem: OutboundProblem, what: Refused): Answer {
    return this.logFailed(what, this.unreachable(problem), problem);
  }
  unreachable(problem: OutboundProblem): Answer {
    return unreachedAnswer(problem, this.decide('failed', problem, problem));
  }
  opened(): void {
    this.parts.counters.openStreams += 1;
  }

  /** The upstream: callers are too many (A74). */
  protected get label(): string {
    const to = this.#destination;
    return 'nowhere' in to ? 'unknown' : (to.report.peer ?? to.config.workload);
  }
  protected answeredBy(who: 'app' | 'agent', { status }: RequestEnd): void {
    if (who === 'app' || 'nowhere' in this.#destination) return;
    this.countFailure(status === 401 || status === 403 ? 'refused-by-peer' : 'failed-at-peer');
  }
  protected closed(): void {
    this.parts.counters.openStreams -= 1;
  }
  protected tell(verdict: Verdict, reason: string, decisionId: string): void {
    const { emit } = this.parts;
    if (verdict === 'failed') emit({ event: 'gateway.failed', destination: this.#name, reason, decisionId });
    else emit({ event: 'gateway.refused', client: this.#client, reason, decisionId });
  }
  protected parties(): Parties {
    const to = this.#destination;
    const peer = 'nowhere' in to ? undefined : to.report.peer;
    return { direction: 'gateway', peer, client: this.#client, destination: this.#name || undefined };
  }
  get #name(): string {
    const to = this.#destination;
    return 'nowhere' in to ? to.nowhere : `${to.config.workload}:${to.config.port}`;
  }
}
