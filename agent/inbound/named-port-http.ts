import type { InboundPortConfig } from '#agent/config-types.ts';
import type { Answer } from '#agent/http/answers.ts';
import type { RequestHead, UnreadProblem } from '#agent/http/head.ts';
import { portHeader } from '#agent/http/port-header.ts';
import type { Admission, HttpService } from '#agent/http/service.ts';
import { ServiceParts } from '#agent/http/service-parts.ts';
import type { CallerParts, Proof } from './inbound-parts.ts';
import { createInboundReport } from './plaintext-report.ts';
import type { AppProblem, InboundReport } from './report.ts';

export interface NamedPorts {
  /** Of one port, made when it is first asked for. */
  readonly serviceOf: (port: InboundPortConfig) => HttpService<AppProblem>;
  readonly portOf: (port: number) => InboundPortConfig | undefined;
  /** For whoever names none; undefined: the workload speaks no HTTP. */
  readonly first: InboundPortConfig | undefined;
  readonly onClosed: () => void;
}

/** HTTP/2 requests of one caller, each for the port that it names. Which port that is changes nothing about its judge. */
export class NamedPortHttp extends ServiceParts implements HttpService<AppProblem> {
  readonly #parts: CallerParts;
  readonly #proof: Proof;
  readonly #ports: NamedPorts;
  readonly #services = new Map<InboundPortConfig, HttpService<AppProblem>>();

  constructor(parts: CallerParts, proof: Proof, ports: NamedPorts) {
    super(parts);
    this.#parts = parts;
    this.#proof = proof;
    this.#ports = ports;
  }

  admit(head: RequestHead): Admission<AppProblem> | Promise<Admission<AppProblem>> {
    const port = this.#portOf(head);
    if (port === undefined || port.protocol === 'tcp') {
      const report = this.#reportAt(namedPort(head) ?? 0);
      report.begun();
      return { kind: 'answer', answer: report.noSuchPort(head) };
    }
    let service = this.#services.get(port);
    if (service === undefined) {
      service = this.#ports.serviceOf(port);
      this.#services.set(port, service);
    }
    return service.admit(head);
  }

  revoked(head: RequestHead): Answer | undefined {
    const port = this.#portOf(head);
    return port && this.#services.get(port)?.revoked?.(head);
  }

  refused(reason: UnreadProblem): Answer {
    return this.#reportAt(this.#ports.first?.port ?? 0).unread(reason);
  }

  closed(): void {
    this.#ports.onClosed();
  }

  #portOf(head: RequestHead): InboundPortConfig | undefined {
    const named = namedPort(head);
    return named === undefined ? this.#ports.first : this.#ports.portOf(named);
  }

  #reportAt(port: number): InboundReport {
    return createInboundReport(this.#parts, this.#proof.peer, port);
  }
}

/** The port that a request names; 0, which no workload has, where it names none properly or several. */
function namedPort({ headers }: RequestHead): number | undefined {
  let named: number | undefined;
  for (const { name, value } of headers) {
    if (name !== portHeader) continue;
    named = named === undefined && /^[1-9][0-9]{0,4}$/.test(value) ? Number(value) : 0;
  }
  return named;
}
