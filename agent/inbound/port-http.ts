import type { Answer } from '#agent/http/answers.ts';
import type { RequestHead, UnreadProblem } from '#agent/http/head.ts';
import { LastAdmission, type Forward } from '#agent/http/last-admission.ts';
import type { Forwarded, Upstream } from '#agent/http/message.ts';
import { stripReserved } from '#agent/http/reserved.ts';
import type { Admission, HttpService } from '#agent/http/service.ts';
import { ServiceParts } from '#agent/http/service-parts.ts';
import { endToEndHeaders } from '#agent/http/write.ts';
import type { InboundPortConfig } from '#agent/config-types.ts';
import type { PathProblem } from '#policy/path.ts';
import type { Result } from '#runtime/result.ts';
import { appTarget, type AppTarget } from './app-target.ts';
import type { CallerParts, Proof } from './inbound-parts.ts';
import type { InboundPeer } from './inbound-peer.ts';
import { setIdentityHeaders, type CallerIdentity } from './identity-headers.ts';
import { httpCall } from './http-call.ts';
import { isOddlySpelt } from './odd-method.ts';
import { PortJudge, type Permit, type Refusal, type Standing } from './permit.ts';
import { isKept } from './refusal-book.ts';
import { createInboundReport } from './plaintext-report.ts';
import type { AppProblem, InboundReport } from './report.ts';

export interface PortHttpOrder {
  readonly port: InboundPortConfig;
  readonly upstream: Upstream<AppProblem>;
  /** Undefined: yes. */
  readonly takesGrpc?: () => boolean;
  readonly onClosed: () => void;
}

/**
 * HTTP of one caller to one port of the app: each request is judged by its head, before a byte of its body is read, and
 * forwarded to the path that was judged. The same head under the same verdict is the same admission.
 */
export class PortHttp extends ServiceParts implements HttpService<AppProblem> {
  readonly #parts: CallerParts;
  readonly #proof: Proof;
  readonly #order: PortHttpOrder;
  readonly #judge: PortJudge;
  readonly #report: InboundReport;
  readonly #last = new LastAdmission<AppProblem>();
  /** Where the last head wants to go. */
  #lastHead: RequestHead | undefined;
  #lastTarget: Result<AppTarget, PathProblem> | undefined;
  /** As the app is told of the caller where it proved who it is, and the standing under which that was found out. */
  #identity: CallerIdentity | undefined;
  #identified: Standing | undefined;

  constructor(parts: CallerParts, proof: Proof, order: PortHttpOrder) {
    super(parts);
    this.#parts = parts;
    this.#proof = proof;
    this.#order = order;
    this.#judge = new PortJudge(parts.policy, order.port.port);
    this.#report = createInboundReport(parts, proof.peer, order.port.port);
  }

  admit(head: RequestHead): Admission<AppProblem> {
    const report = this.#report;
    const { peer } = this.#proof;
    report.begun();
    if (head.form === 'authority') return { kind: 'answer', answer: report.refused('bad-target', head) }; // CONNECT is for proxies
    if (isOddlySpelt(head.method)) return { kind: 'answer', answer: report.refused('unknown-method', head) };
    const target = this.#targetOf(head);
    if (!target.ok) return { kind: 'answer', answer: report.unclearPath(target.reason, head) };
    const standing = this.#judge.standing(peer, this.clock.now());
    if (!standing.ok) return { kind: 'answer', answer: this.#deny(standing.reason, head, target.value) };
    const last = this.#last.find(head, standing.value);
    const { inFlight, streams } = this.#parts;
    if (inFlight.isFull || (head.upgrade !== undefined && streams.isFull)) {
      return { kind: 'answer', answer: report.notAdmitted('too-many-requests', head) };
    }
    if (last !== undefined) {
      this.#count(head, target.value);
      return last;
    }
    return this.#decide(head, target.value, standing.value);
  }

  #decide(head: RequestHead, target: AppTarget, standing: Standing): Admission<AppProblem> {
    const report = this.#report;
    const { permit, notes } = this.#judge.judge(standing, httpCall(head, target.path));
    report.noted(notes);
    if (!permit.ok) return { kind: 'answer', answer: this.#deny(permit.reason, head, target) };
    const headers = endToEndHeaders(head.headers);
    if (!headers.ok) return { kind: 'answer', answer: report.refused(headers.reason, head) };
    const request = { head, target: target.text, headers: headers.value, filterFields: stripReserved };
    this.#count(head, target);
    if (standing !== this.#identified) this.#identity = undefined;
    this.#identified = standing;
    this.#identity ??= this.#identityOf(standing.peer);
    const admission = this.#forward(permit.value, request, this.#identity);
    const isQuiet = notes.audited.length === 0 && notes.dryRun.length === 0; // others are noted each time
    if (isQuiet) this.#last.keep(head, standing, admission);
    return admission;
  }

  revoked(head: RequestHead): Answer | undefined {
    const target = appTarget(head);
    if (!target.ok) return undefined; // was never admitted
    const refusal = this.#judge.refusalOf(this.#proof.peer, httpCall(head, target.value.path), this.clock.now());
    if (refusal === undefined) return undefined;
    return this.#keep(this.#report.revoked(refusal), refusal, head, target.value);
  }

  #deny(refusal: Refusal, head: RequestHead, target: AppTarget): Answer {
    return this.#keep(this.#report.denied(refusal, head), refusal, head, target);
  }

  /** So that the answer's decision can be explained. */
  #keep(answer: Answer, refusal: Refusal, head: RequestHead, { path }: AppTarget): Answer {
    const { policy, refusals } = this.#parts;
    const call = { principal: this.#proof.peer.spiffeId, port: this.#order.port.port, http: httpCall(head, path) };
    if (isKept(head)) refusals.keep(answer.decisionId, { atMs: this.clock.now(), refusal, call, policy: policy() });
    return answer;
  }

  refused(reason: UnreadProblem): Answer {
    return this.#report.unread(reason);
  }

  closed(): void {
    this.#order.onClosed();
  }

  #targetOf(head: RequestHead): Result<AppTarget, PathProblem> {
    if (head !== this.#lastHead) {
      this.#lastTarget = appTarget(head);
      this.#lastHead = head;
    }
    return this.#lastTarget!;
  }

  #count(head: RequestHead, { path }: AppTarget): void {
    this.#report.permitted(head, path);
    this.#report.admitted();
    if (head.upgrade !== undefined) this.#report.upgradeAdmitted();
  }

  /** To the app, with the caller's verified identity, if it has one, and no other. Asks for a Permit. */
  #forward(_permit: Permit, request: Forwarded, identity: CallerIdentity | undefined): Forward<AppProblem> {
    const headers = setIdentityHeaders(request.headers, identity);
    const { upstream, takesGrpc } = this.#order;
    const forwarded = { ...request, headers, written: undefined };
    return { kind: 'forward', request: forwarded, upstream, report: this.#report, ...(takesGrpc && { takesGrpc }) };
  }

  #identityOf(peer: InboundPeer): CallerIdentity | undefined {
    if (peer.spiffeId === undefined) return undefined;
    const { spiffeId, svid } = peer;
    return { spiffeId, thumbprint: svid.thumbprint, subject: svid.subject, by: this.#parts.self() };
  }
}
