import {
  maxCallers,
  maxExamples,
  type CallerRecord,
  type LedgerReport,
  type PortRecord,
  type Tally,
} from './ledger-report.ts';

const format = 1;

/** What is kept over a restart. */
export interface KeptLedger {
  readonly workload: string;
  readonly savedAtMs: number;
  readonly report: LedgerReport;
}

export function keptText({ workload, savedAtMs, report }: KeptLedger): string {
  return `${JSON.stringify({ format, workload, savedAtMs, ports: report.ports })}\n`;
}

/** What `keptText` wrote, with nobody connected any more; undefined for anything else. */
export function parseKept(text: string): KeptLedger | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isRecord(value) || value['format'] !== format) return undefined;
    const { workload, savedAtMs, ports } = value;
    if (typeof workload !== 'string' || !isTime(savedAtMs) || !Array.isArray(ports)) return undefined;
    if (!ports.every(isPortRecord)) return undefined;
    if (ports.reduce((sum, { callers }) => sum + callers.length, 0) > maxCallers) return undefined;
    return { workload, savedAtMs, report: { changes: 0, document: null, ports: ports.map(withoutOpen) } };
  } catch {
    return undefined;
  }
}

function withoutOpen(record: PortRecord): PortRecord {
  return {
    ...record,
    callers: record.callers.map((caller) => ({ ...caller, open: 0 })),
    overflow: record.overflow && { ...record.overflow, open: 0 },
  };
}

/** Whether that is all of a port's record, as JSON brings it. */
export function isPortRecord(value: unknown): value is PortRecord {
  if (!isRecord(value)) return false;
  const { port, mode, sinceMs, isUnchanged, callers, overflow, peers } = value;
  return (
    isCount(port) &&
    (mode === 'STRICT' || mode === 'PERMISSIVE') &&
    isTime(sinceMs) &&
    typeof isUnchanged === 'boolean' &&
    Array.isArray(callers) &&
    callers.every(isCaller) &&
    (overflow === null || isTally(overflow)) &&
    isRecord(peers) &&
    isCount(peers['connections']) &&
    (peers['lastSeenMs'] === null || isTime(peers['lastSeenMs'])) &&
    isTexts(peers['names'])
  );
}

function isCaller(value: unknown): value is CallerRecord {
  if (!isRecord(value) || !isTally(value)) return false;
  const { address, protocols, examples } = value as Partial<CallerRecord>;
  return typeof address === 'string' && isTexts(protocols) && isTexts(examples) && examples.length <= maxExamples;
}

function isTally(value: unknown): value is Tally {
  if (!isRecord(value)) return false;
  const { firstSeenMs, lastSeenMs, lastAdmittedMs, connections, open, admitted, refused } = value;
  return (
    isTime(firstSeenMs) &&
    isTime(lastSeenMs) &&
    (lastAdmittedMs === null || isTime(lastAdmittedMs)) &&
    [connections, open, admitted, refused].every(isCount)
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= 100 && value.every((each) => typeof each === 'string');
}
