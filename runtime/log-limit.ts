import type { Clock } from './clock.ts';
import type { Emit } from './log.ts';

export interface LogLimit<E extends { readonly event: string }> {
  /** Events that a stranger or a broken app can cause at will. */
  readonly limited: ReadonlySet<E['event']>;
  /** Of each of them: so many at once, and so many per second on. */
  readonly burst: number;
  readonly perSecond: number;
  readonly clock: Clock;
}

/**
 * Lets through what fits a token bucket per event name; the next line that passes says in `suppressed` how many did
 * not; an event that was thinned out before keeps its own count in it. A flood of refused calls must cost neither disk nor the time of writing lines.
 */
export function limitLog<E extends { readonly event: string }>(emit: Emit<E>, limit: LogLimit<E>): Emit<E> {
  const buckets = new Map<string, { tokens: number; atMs: number; suppressed: number }>();
  return (event) => {
    if (!limit.limited.has(event.event as E['event'])) return emit(event);
    const nowMs = limit.clock.monotonic();
    const bucket = buckets.get(event.event) ?? { tokens: limit.burst, atMs: nowMs, suppressed: 0 };
    buckets.set(event.event, bucket);
    bucket.tokens = Math.min(limit.burst, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * limit.perSecond);
    bucket.atMs = nowMs;
    const suppressed = bucket.suppressed + suppressedBefore(event);
    if (bucket.tokens < 1) {
      bucket.suppressed = suppressed + 1;
      return;
    }
    bucket.tokens -= 1;
    bucket.suppressed = 0;
    emit(suppressed === 0 ? event : { ...event, suppressed });
  };
}

function suppressedBefore(event: object): number {
  return 'suppressed' in event && typeof event.suppressed === 'number' ? event.suppressed : 0;
}
