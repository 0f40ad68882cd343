import type { AgentConfig } from '#agent/config-types.ts';
import type { LedgerReport, PortRecord } from '#agent/plaintext/ledger-report.ts';

/** What `GET /plaintext-callers` answers, and what `eastwest strict-check` reads. */
export interface ToldCallers {
  readonly workload: string;
  /** `null` before the first SVID. */
  readonly spiffeId: string | null;
  /** By the clock that all times here are of. */
  readonly nowMs: number;
  /** The PeerAuthentication that is about this workload by its labels, `namespace/name`; `null`: there is none. */
  readonly document: string | null;
  /** With a listener of their own. */
  readonly ports: readonly PortRecord[];
  /** With a listener that is not open yet, so nothing is known of them. */
  readonly unobserved: readonly number[];
  /** Without one: plaintext callers cannot even connect. */
  readonly mtlsOnly: readonly number[];
}

export function toldCallers(
  report: LedgerReport,
  of: { readonly config: AgentConfig; readonly spiffeId: string | undefined; readonly nowMs: number },
): ToldCallers {
  const ports = of.config.inbound?.ports ?? [];
  const observed = new Set(report.ports.map(({ port }) => port));
  return {
    ...{ workload: of.config.workload, spiffeId: of.spiffeId ?? null, nowMs: of.nowMs },
    ...{ document: report.document, ports: report.ports },
    unobserved: ports.filter(({ port, listen }) => listen !== undefined && !observed.has(port)).map(({ port }) => port),
    mtlsOnly: ports.filter(({ listen }) => listen === undefined).map(({ port }) => port),
  };
}
