import type { AccessLog, Parties, Refused } from '#agent/access-log/access-log.ts';
import { problemAnswer, type Answer } from '#agent/http/answers.ts';
import type { Room } from '#agent/ceiling.ts';
import type { RequestHead } from '#agent/http/head.ts';
import type { RequestEnd, StreamEnd } from '#agent/http/service.ts';
import { TrafficReport, type ReportParts, type Verdict } from '#agent/traffic-report.ts';
import type { PathProblem } from '#policy/path.ts';
import { newDecisionId } from '#runtime/decision-id.ts';
import { unreachable } from '#runtime/result.ts';
import { denyReply } from './deny-reply.ts';
import type { InboundPeer } from './inbound-peer.ts';
import type { CallerParts } from './inbound-parts.ts';
import type { Judged, Refusal } from './permit.ts';

/** Why the app cannot be asked. */
export type AppProblem = 'app-unreachable' | 'too-many-requests';

/** Whom events name: a SPIFFE ID, or of a plaintext caller its address. */
type Named = { readonly principal: string } | { readonly client: string };

export type InboundReportParts = ReportParts & Pick<CallerParts, 'streams' | 'answeringHttp'>;

/** Counts and logs what one caller does at one port. */
export class InboundReport extends TrafficReport<AppProblem> {
  /** Addresses are too many to count by (A74). */
  protected readonly label: string;
  readonly #peer: InboundPeer;
  readonly #named: Named;
  readonly #port: number;
  readonly #streams: Room;
  readonly #answeringHttp: Set<number>;
  /** The last decision to end something here: a connection with a stream has nothing else. */
  #lastRevoked: { readonly decisionId: string; readonly reason: string } | undefined;

  constructor(parts: InboundReportParts, peer: InboundPeer, port: number) {
    super(parts, 'inbound');
    this.label = peer.spiffeId ?? 'plaintext';
    this.#peer = peer;
    this.#named = peer.spiffeId === undefined ? { client: peer.address } : { principal: peer.spiffeId };
    this.#port = port;
    this.#streams = parts.streams;
    this.#answeringHttp = parts.answeringHttp;
  }

  begun(): void {
    this.parts.counters.inboundRequests += 1;
  }
  /** Rules have let it in. Where it is known by its certificate, that is all. */
  permitted(_what: RequestHead | 'opaque', _path: string): void {
    // see `PlaintextReport`
  }
  denied(refusal: Refusal, what: Refused): Answer {
    return this.logDenied(what, this.revoked(refusal), refusal.reason);
  }
  /** What was admitted and is denied now has its line in the access log when it ends. */
  revoked({ reason, rule, token }: Refusal): Answer {
    const { status, title, challenge } = denyReply(reason);
    const decisionId = newDecisionId();
    this.#lastRevoked = { decisionId, reason };
    this.countFailure(reason);
    if (token !== undefined) this.parts.counters.tokenRefusals.add(token);
    const why = { reason, ...(rule !== undefined && { rule }), ...(token !== undefined && { token }) };
    this.#tell('denied', why, decisionId);
    const answer = problemAnswer(status, title, decisionId);
    return challenge === undefined ? answer : { ...answer, challenge };
  }
  /** `audit-only`: the token is for somebody else. */
  tokenAudited(audience: string): void {
    this.parts.emit({ event: 'inbound.token-audited', ...this.#named, port: this.#port, audience });
  }
  /** Rules that look on and change nothing. */
  noted({ audited, dryRun }: Judged['notes']): void {
    const { emit } = this.parts;
    const of = { ...this.#named, port: this.#port };
    for (const rule of audited) emit({ event: 'inbound.audited', ...of, rule });
    for (const { verdict, rule } of dryRun) emit({ event: 'inbound.on-trial', ...of, verdict, rule });
  }
  /** The port that is named is none of ours, or its protocol is another one. */
  noSuchPort(what: Refused): Answer {
    const decisionId = this.decide('refused', 'no-such-port', 'no-such-port');
    const title = what === 'opaque' ? 'This workload has no such port' : 'The destination has no such HTTP port';
    return this.logDenied(what, problemAnswer(404, title, decisionId), 'no-such-port');
  }
  /** Whoever reads its path next might take it for another one, so nothing can be decided about it. */
  unclearPath(reason: PathProblem, what: Refused): Answer {
    const decisionId = this.decide('refused', reason, 'bad-request');
    return this.logDenied(what, problemAnswer(400, 'The path can be read in more than one way', decisionId), reason);
  }
  /** It may, but it was not even admitted. */
  notAdmitted(problem: AppProblem, what: Refused): Answer {
    return this.logFailed(what, this.unreachable(problem), problem);
  }
  unreachable(problem: AppProblem): Answer {
    return problemAnswer(503, appProblemTitle(problem), this.decide('failed', problem, problem));
  }
  /** The app answered in HTTP what was taken for opaque. */
  httpUnread(): void {
    this.#answeringHttp.add(this.#port);
    this.parts.emit({ event: 'inbound.http-unread', ...this.#named, port: this.#port });
  }
  /** By the app. */
  answered(): void {
    this.parts.counters.inboundRequestsByPeer.add(this.label);
  }
  /** An upgrade has its seat from its admission on: the app's answer may come late. */
  upgradeAdmitted(): void {
    this.#streams.enter();
  }
  override finished(end: RequestEnd): void {
    if (end.request.head.upgrade !== undefined) this.#streams.leave();
    super.finished(end);
  }
  override upgradeEnded(end: StreamEnd): void {
    if (end.request !== undefined) this.#streams.leave();
    super.upgradeEnded(end.outcome === 'cut' ? { ...end, decisionId: this.#lastRevoked?.decisionId } : end);
  }
  opened(): void {
    this.#lastRevoked = undefined;
    this.parts.counters.inboundOpenStreams += 1;
  }

  protected answeredBy(who: 'app' | 'agent'): void {
    this.answered();
    if (who === 'app') this.#answeringHttp.add(this.#port);
  }
  protected override reasonOf(decisionId: string | undefined): string | undefined {
    return decisionId !== undefined && decisionId === this.#lastRevoked?.decisionId
      ? this.#lastRevoked.reason
      : undefined;
  }
  protected closed(): void {
    this.parts.counters.inboundOpenStreams -= 1;
  }
  protected tell(verdict: Verdict, reason: string, decisionId: string): void {
    this.#tell(verdict, { reason }, decisionId);
  }
  protected parties({ workload }: AccessLog): Parties {
    const destination = `${workload}:${this.#port}`;
    const { spiffeId } = this.#peer;
    const client = this.#peer.spiffeId === undefined ? this.#peer.address : undefined;
    return { direction: 'inbound', peer: spiffeId, client, destination };
  }

  #tell(
    verdict: Verdict,
    why: { readonly reason: string; readonly rule?: string; readonly token?: string },
    decisionId: string,
  ): void {
    const { counters, emit } = this.parts;
    if (verdict === 'failed') counters.inboundFailed += 1;
    else counters.inboundDenied += 1;
    emit({ event: `inbound.${verdict}`, ...this.#named, port: this.#port, ...why, decisionId });
  }
}

function appProblemTitle(problem: AppProblem): string {
  switch (problem) {
    case 'app-unreachable':
      return 'The app cannot be reached';
    case 'too-many-requests':
      return 'Too many requests or streams are open to this workload';
    default:
      return unreachable(problem);
  }
}
