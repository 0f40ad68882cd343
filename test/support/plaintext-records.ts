import type { CallerRecord, PortRecord, Tally } from '#agent/plaintext/ledger-report.ts';

/** A caller that was let in once, long ago. */
export function tally(changes: Partial<Tally> = {}): Tally {
  return {
    ...{ firstSeenMs: 1_000, lastSeenMs: 1_000, lastAdmittedMs: 1_000 },
    ...{ connections: 1, open: 0, admitted: 1, refused: 0 },
    ...changes,
  };
}

export function callerRecord(address: string, changes: Partial<CallerRecord> = {}): CallerRecord {
  return { ...tally(), address, protocols: ['HTTP/1.1'], examples: ['GET /a'], ...changes };
}

/** Port 7002 is permissive, and nobody called. */
export function portRecord(changes: Partial<PortRecord> = {}): PortRecord {
  return {
    ...{ port: 7002, mode: 'PERMISSIVE', sinceMs: 1_000, isUnchanged: true, callers: [], overflow: null },
    peers: { connections: 0, lastSeenMs: null, names: [] },
    ...changes,
  };
}
