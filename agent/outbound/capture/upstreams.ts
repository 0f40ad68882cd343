import type { RequestHead } from '#agent/http/head.ts';
import type { OutboundProblem } from '#agent/outbound/answers.ts';
import { CommonMemory } from '#agent/outbound/common-memory.ts';
import type { Outlet } from '#agent/outbound/outlet.ts';
import type { OutboundReport } from '#agent/outbound/report.ts';
import type { Route, Routed } from '#agent/outbound/route.ts';
import { refuse, type Result } from '#runtime/result.ts';

/** The app dialled the loopback port of an upstream: every request on it is for that one. */
export class UpstreamRoute implements Route {
  readonly report: OutboundReport;
  readonly common = new CommonMemory();
  readonly #outlet: Outlet;
  readonly #version: 'http' | 'http2';

  constructor(outlet: Outlet, version: 'http' | 'http2') {
    this.report = outlet.report;
    this.#outlet = outlet;
    this.#version = version;
  }

  find({ form }: RequestHead): Result<Routed, OutboundProblem> {
    if (form !== 'origin' && form !== 'asterisk') return refuse('unknown-destination');
    return this.#outlet.route(this.#version);
  }

  close(): void {
    // streams to peers are shared
  }
}
