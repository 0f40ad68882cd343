import type { ToldCallers } from '#agent/admin/told-callers.ts';
import type { CallerRecord, PortRecord, Tally } from '#agent/plaintext/ledger-report.ts';

/**
 * Whether one port may become strict. `strict`: it is. `breaks`: these callers, and perhaps others that the ledger had no
 * room for, would be cut off. `unknown`: nobody was let in of late, but that says nothing yet.
 */
export type PortVerdict =
  | { readonly kind: 'strict' | 'safe' }
  | { readonly kind: 'breaks'; readonly callers: readonly CallerRecord[]; readonly areOthers: boolean }
  | { readonly kind: 'unknown'; readonly why: 'overflow' }
  | { readonly kind: 'unknown'; readonly why: 'too-short'; readonly observedMs: number };

export interface JudgedPort {
  readonly record: PortRecord;
  readonly verdict: PortVerdict;
  /** Who called in plaintext and was never let in: strict mode changes nothing for them. */
  readonly refused: readonly CallerRecord[];
}

export interface JudgedAgent {
  readonly told: ToldCallers;
  readonly ports: readonly JudgedPort[];
}

export type Answer = 'safe' | 'breaks' | 'unknown';

/** `forMs`: so long must nobody have been let in who would be missing. */
export function judgeAgent(told: ToldCallers, forMs: number): JudgedAgent {
  return {
    told,
    ports: told.ports.map((record) => ({
      record,
      verdict: judgePort(record, told.nowMs, forMs),
      refused: record.callers.filter(({ admitted }) => admitted === 0),
    })),
  };
}

/** One that is known to break outweighs all that is not known. */
export function answerOf(agents: readonly JudgedAgent[], unanswered: readonly string[]): Answer {
  const kinds = agents.flatMap(({ ports }) => ports.map(({ verdict }) => verdict.kind));
  if (kinds.includes('breaks')) return 'breaks';
  const areUnobserved = agents.some(({ told }) => told.unobserved.length > 0);
  return kinds.includes('unknown') || areUnobserved || unanswered.length > 0 || agents.length === 0
    ? 'unknown'
    : 'safe';
}

function judgePort({ mode, sinceMs, callers, overflow }: PortRecord, nowMs: number, forMs: number): PortVerdict {
  if (mode === 'STRICT') return { kind: 'strict' };
  const isMissed = ({ admitted, open, lastAdmittedMs }: Tally): boolean =>
    admitted > 0 && (open > 0 || lastAdmittedMs === null || lastAdmittedMs > nowMs - forMs);
  const breaking = callers.filter(isMissed);
  const areOthers = overflow !== null && isMissed(overflow);
  if (breaking.length > 0) return { kind: 'breaks', callers: breaking.toSorted(byLast), areOthers };
  if (areOthers) return { kind: 'unknown', why: 'overflow' };
  const observedMs = nowMs - sinceMs;
  return observedMs >= forMs ? { kind: 'safe' } : { kind: 'unknown', why: 'too-short', observedMs };
}

function byLast(one: CallerRecord, other: CallerRecord): number {
  return (other.lastAdmittedMs ?? 0) - (one.lastAdmittedMs ?? 0);
}
