import type { MtlsMode } from '#policy/model.ts';

/** So many callers have an entry of their own in an agent's ledger; others are counted together. */
export const maxCallers = 1_000;
/** `METHOD /path`, of one caller. */
export const maxExamples = 3;
/** SPIFFE IDs that are named at one port. */
export const maxPeers = 20;

/** What plaintext callers of one port did. Times are milliseconds since 1970. */
export interface Tally {
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  /** `null`: never. */
  readonly lastAdmittedMs: number | null;
  readonly connections: number;
  /** Of those, open now. */
  readonly open: number;
  /** Requests and opaque streams that rules let in. */
  readonly admitted: number;
  /** Those that were not, and connections to a strict port. */
  readonly refused: number;
}

/** One caller of one port: all that is known of it is its address, which is no identity (S9). */
export interface CallerRecord extends Tally {
  readonly address: string;
  /** `HTTP/1.1`, `HTTP/2`, …, `opaque`. */
  readonly protocols: readonly string[];
  /** `GET /prices/1`, without the query. */
  readonly examples: readonly string[];
}

/** Callers of one port that proved who they are. */
export interface PeersRecord {
  /** Tunnel streams with HTTP/1.1 or opaque bytes count each, HTTP/2 sessions once. */
  readonly connections: number;
  readonly lastSeenMs: number | null;
  /** Some of their SPIFFE IDs. */
  readonly names: readonly string[];
}

/** A port with a listener of its own. */
export interface PortRecord {
  readonly port: number;
  readonly mode: MtlsMode;
  /** From when on it was observed in that mode. */
  readonly sinceMs: number;
  /** It has been in that mode since its listener opened: what an earlier run observed still counts. */
  readonly isUnchanged: boolean;
  readonly callers: readonly CallerRecord[];
  /** Of callers that there was no room for; `null`: there were none. */
  readonly overflow: Tally | null;
  readonly peers: PeersRecord;
}

/** Who called in plaintext, and who did not need to. Plain values: worker threads send them, and they are kept as JSON. */
export interface LedgerReport {
  /** Another number with every change. */
  readonly changes: number;
  /** The PeerAuthentication that is about this workload by its labels, `namespace/name`; `null`: there is none. */
  readonly document: string | null;
  readonly ports: readonly PortRecord[];
}

export const emptyReport: LedgerReport = { changes: 0, document: null, ports: [] };

/** What several threads of one agent observed at the same time. */
export function sumReports(reports: readonly LedgerReport[]): LedgerReport {
  const ports = new Map<number, PortRecord>();
  for (const record of reports.flatMap((report) => report.ports)) {
    const known = ports.get(record.port);
    ports.set(record.port, known === undefined ? record : sumPorts(known, record));
  }
  return boundReport({
    changes: reports.reduce((sum, { changes }) => sum + changes, 0),
    document: reports[0]?.document ?? null,
    ports: [...ports.values()],
  });
}

/**
 * What an earlier run had observed, and what this one does. A port that is in the mode that it was in is observed since
 * then, unless nobody looked for longer than a restart takes: `isGapless`.
 */
export function continueReport(
  earlier: LedgerReport,
  now: LedgerReport,
  { isGapless }: { readonly isGapless: boolean },
): LedgerReport {
  const ports = now.ports.map((record) => {
    const before = earlier.ports.find(({ port }) => port === record.port);
    if (before === undefined) return record;
    const isContinued = isGapless && record.isUnchanged && before.mode === record.mode;
    const sinceMs = isContinued ? Math.min(before.sinceMs, record.sinceMs) : record.sinceMs;
    return { ...sumPorts(before, record), mode: record.mode, sinceMs, isUnchanged: record.isUnchanged };
  });
  return boundReport({ ...now, ports });
}

/** Permissive until all are strict, and observed since the last of them is. */
function sumPorts(one: PortRecord, other: PortRecord): PortRecord {
  const callers = new Map(one.callers.map((caller) => [caller.address, caller]));
  for (const caller of other.callers) {
    const known = callers.get(caller.address);
    callers.set(caller.address, known === undefined ? caller : sumCallers(known, caller));
  }
  return {
    ...{ port: one.port, mode: one.mode === other.mode ? one.mode : 'PERMISSIVE' },
    ...{ sinceMs: Math.max(one.sinceMs, other.sinceMs), isUnchanged: one.isUnchanged && other.isUnchanged },
    callers: [...callers.values()],
    overflow: sumOverflows(one.overflow, other.overflow),
    peers: {
      connections: one.peers.connections + other.peers.connections,
      lastSeenMs: latest(one.peers.lastSeenMs, other.peers.lastSeenMs),
      names: [...new Set([...other.peers.names, ...one.peers.names])].slice(0, maxPeers),
    },
  };
}

function sumCallers(one: CallerRecord, other: CallerRecord): CallerRecord {
  return {
    ...sumTallies(one, other),
    address: one.address,
    protocols: [...new Set([...one.protocols, ...other.protocols])],
    examples: [...new Set([...one.examples, ...other.examples])].slice(0, maxExamples),
  };
}

function sumOverflows(one: Tally | null, other: Tally | null): Tally | null {
  return one === null || other === null ? (one ?? other) : sumTallies(one, other);
}

function sumTallies(one: Tally, other: Tally): Tally {
  return {
    firstSeenMs: Math.min(one.firstSeenMs, other.firstSeenMs),
    lastSeenMs: Math.max(one.lastSeenMs, other.lastSeenMs),
    lastAdmittedMs: latest(one.lastAdmittedMs, other.lastAdmittedMs),
    connections: one.connections + other.connections,
    open: one.open + other.open,
    admitted: one.admitted + other.admitted,
    refused: one.refused + other.refused,
  };
}

function latest(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.max(one, other);
}

/** Those that were let in last keep their entries; the others of their port are counted together. */
function boundReport(report: LedgerReport): LedgerReport {
  const all = report.ports.flatMap(({ callers }) => callers);
  if (all.length <= maxCallers) return report;
  const rank = ({ lastAdmittedMs, lastSeenMs }: Tally): number =>
    lastAdmittedMs ?? lastSeenMs - Number.MAX_SAFE_INTEGER;
  const kept = new Set(all.toSorted((a, b) => rank(b) - rank(a)).slice(0, maxCallers));
  const ports = report.ports.map((record) => ({
    ...record,
    callers: record.callers.filter((caller) => kept.has(caller)),
    overflow: record.callers
      .filter((caller) => !kept.has(caller))
      .reduce<Tally | null>((sum, caller) => sumOverflows(sum, tallyOf(caller)), record.overflow),
  }));
  return { ...report, ports };
}

function tallyOf({ address: _a, protocols: _p, examples: _e, ...tally }: CallerRecord): Tally {
  return tally;
}
