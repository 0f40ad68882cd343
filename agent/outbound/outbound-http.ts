import type { Answer } from '#agent/http/answers.ts';
import type { HeadProblem, RequestHead } from '#agent/http/head.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import type { LastHead } from '#agent/http/last-head.ts';
import type { Admission, HttpService } from '#agent/http/service.ts';
import { originForm } from '#agent/http/target.ts';
import { endToEndHeaders } from '#agent/http/write.ts';
import { LastAdmission, type Forward } from './last-admission.ts';
import { OutboundReport } from './report.ts';
import type { Route } from './route.ts';
import type { OutboundParts } from './outbound-parts.ts';
import type { OutboundProblem } from './answers.ts';

/** The HTTP of one connection of the app: each request goes to whom `route` says. */
export class OutboundHttp implements HttpService<OutboundProblem> {
  readonly clock;
  readonly deadlines;
  readonly limits;
  readonly times;
  readonly #parts: OutboundParts;
  readonly #route: Route;
  readonly commonHead: LastHead<RequestHead> | undefined;
  #last: LastAdmission | undefined;

  constructor(parts: OutboundParts, route: Route) {
    this.clock = parts.clock;
    this.deadlines = parts.deadlines;
    this.limits = parts.limits;
    this.times = parts.times;
    this.commonHead = route.common?.head;
    this.#parts = parts;
    this.#route = route;
  }

  admit(head: RequestHead): Admission<OutboundProblem> {
    const { counters, inFlight, maxRequests } = this.#parts;
    const found = this.#route.find(head);
    if (!found.ok) {
      counters.requests += 1;
      return { kind: 'answer', answer: this.#unrouted(head, found.reason) };
    }
    const routed = found.value;
    if (routed.kind === 'hand-over') return routed;
    counters.requests += 1;
    const { report, upstream } = routed;
    if (inFlight.requests >= maxRequests) {
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
    const request = {
      head,
      target: originForm(head),
      headers: headers.value.filter(isNotOurs),
      filterFields: passAll,
      written: undefined,
    };
    const admission: Forward = { kind: 'forward', request, upstream, report };
    memory.keep(head, routed, admission);
    return admission;
  }

  /** What is known of a head that all have in common is, too. */
  #memoryFor(head: RequestHead): LastAdmission {
    const { common } = this.#route;
    if (common !== undefined && common.head.head === head) return common.admission;
    return (this.#last ??= new LastAdmission());
  }

  refused(reason: HeadProblem | 'protected-header-in-connection'): Answer {
    return this.#route.report.refused(reason, 'unread');
  }

  closed(): void {
    this.#route.close();
  }

  #unrouted(head: RequestHead, problem: OutboundProblem): Answer {
    return new OutboundReport(this.#parts, { name: head.host }).notAdmitted(problem, head);
  }
}

/** What agents say to each other an app cannot say. */
function isNotOurs({ name }: HeaderField): boolean {
  return !name.startsWith('x-eastwest-');
}

const passAll = <T>(fields: T): T => fields;
