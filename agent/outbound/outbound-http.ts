import type { Answer } from '#agent/http/answers.ts';
import type { HeadProblem, RequestHead } from '#agent/http/head.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import type { Admission, HttpService } from '#agent/http/service.ts';
import { originForm } from '#agent/http/target.ts';
import { endToEndHeaders } from '#agent/http/write.ts';
import { OutboundReport } from './report.ts';
import type { Route, Routed } from './route.ts';
import type { OutboundParts } from './outbound-parts.ts';
import type { OutboundProblem } from './answers.ts';

type Forward = Admission<OutboundProblem> & { readonly kind: 'forward' };

/** The HTTP of one connection of the app: each request goes to whom `route` says. */
export class OutboundHttp implements HttpService<OutboundProblem> {
  readonly clock;
  readonly deadlines;
  readonly limits;
  readonly times;
  readonly #parts: OutboundParts;
  readonly #route: Route;
  /** What the last admission rests on. */
  #lastHead: RequestHead | undefined;
  #lastRouted: Routed | undefined;
  #last: Forward | undefined;

  constructor(parts: OutboundParts, route: Route) {
    this.clock = parts.clock;
    this.deadlines = parts.deadlines;
    this.limits = parts.limits;
    this.times = parts.times;
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
    const last = this.#last;
    if (last !== undefined && head === this.#lastHead && routed === this.#lastRouted) {
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
    this.#lastHead = head;
    this.#lastRouted = routed;
    const admission: Forward = { kind: 'forward', request, upstream, report };
    this.#last = admission;
    return admission;
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
