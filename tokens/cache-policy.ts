import type { Validity } from './times.ts';

/** What is known of the fetches of one issuer's key document. */
export interface FetchHistory {
  /** Of the last good document; undefined: there is none. */
  readonly fetchedAtMs: number | undefined;
  /** Start of the last fetch, whatever came of it; undefined: none yet. */
  readonly triedAtMs: number | undefined;
  /** Since the last good one. */
  readonly failures: number;
  readonly isFetching: boolean;
}

export interface FetchTimes {
  /** Within this time after a fetch the document counts as fresh, and no token buys another (S78). */
  readonly freshMs: number;
  /** When to look again unasked. */
  readonly refreshMs: number;
  /** How long the last good document counts while fetches fail. */
  readonly staleMs: number;
  readonly maxBackoffMs: number;
}

/**
 * What a token with this key ID is worth: `use` the known key, `fetch` and look again, or `refuse` it without waiting. A known kid
 * never fetches (S76), only the kid is compared (S77), and failed fetches count as much as good ones (A5, A6).
 */
export function onKid(
  kid: 'known' | 'unknown',
  history: FetchHistory,
  nowMs: number,
  times: FetchTimes,
): 'use' | 'fetch' | 'refuse' {
  if (kid === 'known' && isUsable(history, nowMs, times)) return 'use';
  if (history.isFetching) return 'refuse';
  return nowMs < guardedUntilMs(history, times) ? 'refuse' : 'fetch';
}

/** Whether the last good document still counts (A23: an error keeps it, within this bound). */
export function isUsable({ fetchedAtMs }: FetchHistory, nowMs: number, { staleMs }: FetchTimes): boolean {
  return fetchedAtMs !== undefined && nowMs < fetchedAtMs + staleMs;
}

/** When to fetch unasked: spread over the second half of `refreshMs`, after a failure as the guard says. `random`: 0 to 1. */
export function refreshDueAtMs(history: FetchHistory, times: FetchTimes, random: number): number {
  if (history.fetchedAtMs !== undefined && history.failures === 0) {
    return history.fetchedAtMs + times.refreshMs * (0.5 + 0.5 * random);
  }
  return guardedUntilMs(history, times) + times.freshMs * random;
}

/** Doubles with each failure in a row. */
function guardedUntilMs({ triedAtMs, failures }: FetchHistory, { freshMs, maxBackoffMs }: FetchTimes): number {
  if (triedAtMs === undefined) return -Infinity;
  return triedAtMs + Math.max(freshMs, Math.min(freshMs * 2 ** failures, maxBackoffMs));
}

/** For how long no token buys a fetch; 0: the next one does. */
export function restMsOf(history: FetchHistory, nowMs: number, times: FetchTimes): number {
  return Math.max(0, guardedUntilMs(history, times) - nowMs);
}

/** When to get the successor of a token of ours: at 60 to 80 % of its life, so that a fleet does not ask at once (S52). */
export function tokenDueAtMs(
  token: { readonly issuedAtMs: number } & Pick<Validity, 'expiresAtMs'>,
  random: number,
): number {
  return token.issuedAtMs + (token.expiresAtMs - token.issuedAtMs) * (0.6 + 0.2 * random);
}
