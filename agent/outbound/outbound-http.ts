import type { Answer } from '#agent/http/answers.ts';
import type { RequestHead, UnreadProblem } from '#agent/http/head.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import { LastAdmission, type Forward } from '#agent/http/last-admission.ts';
import type { LastHead } from '#agent/http/last-head.ts';
import { stripReserved } from '#agent/http/reserved.ts';
import type { Admission, HttpService } from '#agent/http/service.ts';
import { ServiceParts } from '#agent/http/service-parts.ts';
import { originForm } from '#agent/http/target.ts';
import { endToEndHeaders } from '#agent/http/write.ts';
import { OutboundReport } from './report.ts';
import { withoutToken } from './without-token.ts';
import type { Route } from './route.ts';
import type { OutboundParts } from './outbound-parts.ts';
import type { OutboundProblem } from './answers.ts';

/** The HTTP of one connection of the app: each request goes to whom `route` says. */
export class OutboundHttp extends ServiceParts implements HttpService<OutboundProblem> {
  readonly #parts: OutboundParts;
  readonly #route: Route;
  readonly commonHead: LastHead<RequestHead> | undefined;
  #last: LastAdmission<OutboundProblem> | undefined;

  constructor(parts: OutboundParts, route: Route) {
    super(parts);
    this.commonHead = route.common?.head;
    this.#parts = parts;
    this.#route = route;
  }

  admit(head: RequestHead): Admission<OutboundProblem> {
    const { inFlight } = this.#parts;
    const found = this.#route.find(head);
    if (!found.ok) return { kind: 'answer', answer: this.#unrouted(head, found.reason) };
    const routed = found.value;
    if (routed.kind === 'hand-over') return routed;
    const { report, upstream } = routed;
    report.begun();
    if (inFlight.isFull) {
      return { kind: 'answer', answer: report.notAdmitted('too-many-requests-in-flight', head) };
    }
    const memory = this.#memoryFor(head);
    const last = memory.find(head, routed);
    if (last !== undefined) {
      report.admitted();
      return last;
    }
    const headers = endToEndHeaders(head.headers);
    if (!headers.ok) return { kind: 'answer', answer: report.refused(headers.reason, head) };
    report.admitted();
    const { token } = routed;
    const request = {
      head,
      target: originForm(head),
      headers: token === undefined ? stripReserved(headers.value) : withoutToken(stripReserved(headers.value), token),
      filterFields: token === undefined ? passAll : (fields: readonly HeaderField[]) => withoutToken(fields, token),
      written: undefined,
      attachment: token?.attachment,
    };
    const admission: Forward<OutboundProblem> = { kind: 'forward', request, upstream, report };
    memory.keep(head, routed, admission);
    return admission;
  }

  /** What is known of a head that all have in common is, too. */
  #memoryFor(head: RequestHead): LastAdmission<OutboundProblem> {
    const { common } = this.#route;
    if (common !== undefined && common.head.head === head) return common.admission;
    return (this.#last ??= new LastAdmission());
  }

  refused(reason: UnreadProblem): Answer {
    return this.#route.report.unread(reason);
  }

  closed(): void {
    this.#route.close();
  }

  #unrouted(head: RequestHead, problem: OutboundProblem): Answer {
    const report = new OutboundReport(this.#parts, { name: head.host });
    report.begun();
    return report.notAdmitted(problem, head);
  }
}

const passAll = <T>(fields: T): T => fields;
