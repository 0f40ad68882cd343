import type { Answer } from '#agent/http/answers.ts';
import type { RequestHead, UnreadProblem } from '#agent/http/head.ts';
import { headerField, type HeaderField } from '#agent/http/header-field.ts';
import { LastAdmission, type Forward } from '#agent/http/last-admission.ts';
import type { Forwarded, Upstream } from '#agent/http/message.ts';
import type { Admission, HttpService } from '#agent/http/service.ts';
import { ServiceParts } from '#agent/http/service-parts.ts';
import { originForm } from '#agent/http/target.ts';
import { endToEndHeaders } from '#agent/http/write.ts';
import type { OutboundProblem } from '#agent/outbound/answers.ts';
import type { Outlet } from '#agent/outbound/outlet.ts';
import type { Routed, TokenOnRoute } from '#agent/outbound/route.ts';
import { withoutToken } from '#agent/outbound/without-token.ts';
import type { Refusal } from './answers.ts';
import { filterOutside, tellForwarded, type OutsideCaller } from './forwarded-headers.ts';
import type { GatewayParts } from './gateway-parts.ts';
import type { CallerRate } from './rate-limiter.ts';
import { refusingUpstream } from './refusing-upstream.ts';
import { GatewayReport } from './report.ts';

/** One connection from outside, until it is over. */
export interface OutsideConnection {
  readonly caller: OutsideCaller;
  readonly rate: CallerRate;
  readonly version: 'http' | 'http2';
}

/** The HTTP of one connection from outside: each request goes where its host and path say, at its caller's rate. */
export class GatewayHttp extends ServiceParts implements HttpService<OutboundProblem> {
  readonly #parts: GatewayParts;
  readonly #connection: OutsideConnection;
  readonly #reports = new Map<Outlet, GatewayReport>();
  readonly #last = new LastAdmission<OutboundProblem>();
  /** Where its route led. */
  #lastHead: RequestHead | undefined;
  #lastOutlet: Outlet | undefined;

  constructor(parts: GatewayParts, connection: OutsideConnection) {
    super(parts);
    this.#parts = parts;
    this.#connection = connection;
  }

  /**
   * Rate, then route, then the way there. A user's token is to be judged in between: by the head and its route, before a
   * byte of the body is read; what it takes may be a promise.
   */
  admit(head: RequestHead): Admission<OutboundProblem> {
    const { counters, inFlight, deadlines, routes } = this.#parts;
    counters.gatewayRequests += 1;
    const waitMs = this.#connection.rate.take(deadlines.nowMs());
    if (waitMs > 0) return this.#refuse(head, 'rate-limited', [retryAfter(waitMs)]);
    const isRepeated = head === this.#lastHead;
    if (!isRepeated && head.form !== 'origin' && head.form !== 'asterisk') {
      return { kind: 'answer', answer: this.#nowhere(head).turnedAway('not-a-proxy', head) };
    }
    const found = isRepeated ? undefined : routes.find(head.host, head.target);
    if (found?.ok === false) return this.#refuse(head, found.reason, []);
    const outlet = found?.value ?? this.#lastOutlet!;
    const report = this.#reportOf(outlet);
    const routed = outlet.route(this.#connection.version);
    if (!routed.ok) return { kind: 'answer', answer: report.notAdmitted(routed.reason, head) };
    if (inFlight.isFull) {
      return { kind: 'answer', answer: report.notAdmitted('too-many-requests-in-flight', head) };
    }
    const last = this.#last.find(head, routed.value);
    if (last !== undefined) {
      report.admitted();
      return last;
    }
    const headers = endToEndHeaders(head.headers);
    if (!headers.ok) return { kind: 'answer', answer: report.refused(headers.reason, head) };
    report.admitted();
    this.#lastHead = head;
    this.#lastOutlet = outlet;
    const { upstream, token } = wayOf(routed.value);
    const told = tellForwarded(headers.value, head.host, this.#connection.caller);
    const admission = this.#forward(head, told, { upstream, report }, token);
    this.#last.keep(head, routed.value, admission);
    return admission;
  }

  refused(reason: UnreadProblem): Answer {
    return new GatewayReport(this.#parts, this.#client, { nowhere: '' }).unread(reason);
  }

  closed(): void {
    // the ways into the mesh are shared
  }

  get #client(): string {
    return this.#connection.caller.address;
  }

  #reportOf(outlet: Outlet): GatewayReport {
    let report = this.#reports.get(outlet);
    if (report === undefined) {
      report = new GatewayReport(this.#parts, this.#client, outlet);
      this.#reports.set(outlet, report);
    }
    return report;
  }

  #nowhere(head: RequestHead): GatewayReport {
    return new GatewayReport(this.#parts, this.#client, { nowhere: head.host });
  }

  /** Without the end of the connection: who comes in numbers would cost more by coming anew. */
  #refuse(head: RequestHead, reason: Refusal, extra: readonly HeaderField[]): Forward<OutboundProblem> {
    const report = this.#nowhere(head);
    const upstream = refusingUpstream(report.refusal(reason), extra);
    report.admitted();
    return this.#forward(head, [], { upstream, report });
  }

  #forward(
    head: RequestHead,
    headers: readonly HeaderField[],
    to: { readonly upstream: Upstream<OutboundProblem>; readonly report: GatewayReport },
    token?: TokenOnRoute,
  ): Forward<OutboundProblem> {
    const request: Forwarded = {
      head,
      target: originForm(head),
      headers: token === undefined ? headers : withoutToken(headers, token),
      filterFields: token === undefined ? filterOutside : (fields) => withoutToken(filterOutside(fields), token),
      written: undefined,
      attachment: token?.attachment,
    };
    return { kind: 'forward', request, ...to };
  }
}

/** RFC 9110, section 10.2.3: whole seconds. */
function retryAfter(waitMs: number): HeaderField {
  return headerField('Retry-After', String(Math.ceil(waitMs / 1_000)));
}

function wayOf(routed: Routed): Routed & { readonly kind: 'forward' } {
  if (routed.kind === 'forward') return routed;
  throw new Error('an outlet hands no connection over');
}
