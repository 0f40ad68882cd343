import type { Answer } from '#agent/http/answers.ts';
import type { RequestHead, UnreadProblem } from '#agent/http/head.ts';
import { LastAdmission, type Forward } from '#agent/http/last-admission.ts';
import type { Forwarded, Upstream } from '#agent/http/message.ts';
import { stripReserved } from '#agent/http/reserved.ts';
import type { Admission, HttpService } from '#agent/http/service.ts';
import { ServiceParts } from '#agent/http/service-parts.ts';
import { originForm } from '#agent/http/target.ts';
import { endToEndHeaders } from '#agent/http/write.ts';
import type { InboundPortConfig } from '#agent/config-types.ts';
import type { VerifiedPeer } from '#agent/tls/verified-peer.ts';
import type { Result } from '#runtime/result.ts';
import type { CallerParts, Proof } from './inbound-parts.ts';
import { setIdentityHeaders, type CallerIdentity } from './identity-headers.ts';
import { PortJudge, type DenyReason, type Permit } from './permit.ts';
import { InboundReport, type AppProblem } from './report.ts';

export interface PortHttpOrder {
  readonly port: InboundPortConfig;
  readonly upstream: Upstream<AppProblem>;
  /** Undefined: yes. */
  readonly takesGrpc?: () => boolean;
  readonly onClosed: () => void;
}

/**
 * HTTP of one caller to one port of the app: each request is judged by its head, before a byte of its body is read. The
 * same head under the same verdict is the same admission.
 */
export class PortHttp extends ServiceParts implements HttpService<AppProblem> {
  readonly #parts: CallerParts;
  readonly #proof: Proof;
  readonly #order: PortHttpOrder;
  readonly #judge: PortJudge;
  readonly #report: InboundReport;
  readonly #last = new LastAdmission<AppProblem>();
  /** As the app is told of the caller, and the verdict under which that was found out. */
  #identity: CallerIdentity | undefined;
  #identified: Result<Permit, DenyReason> | undefined;

  constructor(parts: CallerParts, proof: Proof, order: PortHttpOrder) {
    super(parts);
    this.#parts = parts;
    this.#proof = proof;
    this.#order = order;
    this.#judge = new PortJudge(parts.rules, order.port.port);
    this.#report = new InboundReport(parts, proof.peer.spiffeId, order.port.port);
  }

  admit(head: RequestHead): Admission<AppProblem> {
    const report = this.#report;
    const { peer } = this.#proof;
    report.begun();
    const verdict = this.#judge.judge(peer, this.clock.now());
    if (!verdict.ok) return { kind: 'answer', answer: report.denied(verdict.reason, head) };
    const { inFlight, streams } = this.#parts;
    if (inFlight.isFull || (head.upgrade !== undefined && streams.isFull)) {
      return { kind: 'answer', answer: report.notAdmitted('too-many-requests', head) };
    }
    const last = this.#last.find(head, verdict);
    if (last !== undefined) {
      this.#count(head);
      return last;
    }
    if (head.form === 'authority') return { kind: 'answer', answer: report.refused('bad-target', head) }; // CONNECT is for proxies
    const headers = endToEndHeaders(head.headers);
    if (!headers.ok) return { kind: 'answer', answer: report.refused(headers.reason, head) };
    const request = { head, target: originForm(head), headers: headers.value, filterFields: stripReserved };
    this.#count(head);
    if (verdict !== this.#identified) this.#identity = undefined;
    this.#identified = verdict;
    this.#identity ??= this.#identityOf(peer);
    const admission = this.#forward(verdict.value, request, this.#identity);
    this.#last.keep(head, verdict, admission);
    return admission;
  }

  refused(reason: UnreadProblem): Answer {
    return this.#report.unread(reason);
  }

  closed(): void {
    this.#order.onClosed();
  }

  #count(head: RequestHead): void {
    this.#report.admitted();
    if (head.upgrade !== undefined) this.#report.upgradeAdmitted();
  }

  /** To the app, with the caller's verified identity and no other. Asks for a Permit. */
  #forward(_permit: Permit, request: Forwarded, identity: CallerIdentity): Forward<AppProblem> {
    const headers = setIdentityHeaders(request.headers, identity);
    const { upstream, takesGrpc } = this.#order;
    const forwarded = { ...request, headers, written: undefined };
    return { kind: 'forward', request: forwarded, upstream, report: this.#report, ...(takesGrpc && { takesGrpc }) };
  }

  #identityOf({ spiffeId, svid }: VerifiedPeer): CallerIdentity {
    return { spiffeId, thumbprint: svid.thumbprint, subject: svid.subject, by: this.#parts.self() };
  }
}
