import type { HeaderField } from '#agent/http/header-field.ts';
import type { RequestHead } from '#agent/http/head.ts';
import type { Admission } from '#agent/http/service.ts';
import { originForm } from '#agent/http/target.ts';
import { endToEndHeaders } from '#agent/http/write.ts';
import { PortHttp as JudgingPortHttp } from '#agent/inbound/port-http.ts';
import { InboundReport, type AppProblem } from '#agent/inbound/report.ts';

type Forward = Admission<AppProblem> & { readonly kind: 'forward' };

/** The agent's own without its duties: no permit, no identity header; whatever caller and app say passes. */
export class PortHttp extends JudgingPortHttp {
  readonly #upstream;
  readonly #freeReport: InboundReport;
  #lastHead: RequestHead | undefined;
  #last: Forward | undefined;

  constructor(...[parts, proof, order]: ConstructorParameters<typeof JudgingPortHttp>) {
    super(parts, proof, order);
    this.#upstream = order.upstream;
    this.#freeReport = new InboundReport(parts, proof.peer, order.port.port);
  }

  override admit(head: RequestHead): Admission<AppProblem> {
    const report = this.#freeReport;
    report.begun();
    report.admitted();
    if (this.#last !== undefined && head === this.#lastHead) return this.#last;
    const headers = endToEndHeaders(head.headers);
    if (!headers.ok) throw new Error(`the load generator sends no such request: ${headers.reason}`);
    const request = { head, target: originForm(head), headers: headers.value, filterFields };
    this.#lastHead = head;
    this.#last = { kind: 'forward', request, upstream: this.#upstream, report };
    return this.#last;
  }
}

function filterFields(fields: readonly HeaderField[]): readonly HeaderField[] {
  return fields;
}
