import type { Clock } from '#runtime/clock.ts';

/** A token bucket: `burst` at once, refilled with `perSecond`. */
export interface RateLimit {
  readonly burst: number;
  readonly perSecond: number;
}

export type Admission =
  | { readonly admitted: true }
  | {
      readonly admitted: false;
      readonly retryAfterMs: number;
      /** How many refusals of this key to report now, this one included; 0 while a report is younger than 10 s. */
      readonly report: number;
    };

export interface RateLimiter {
  /** Takes one token when there is one. */
  take(key: string): Admission;
}

interface Bucket {
  tokens: number;
  atMs: number;
  reportedAtMs: number;
  unreported: number;
}

const maxKeys = 10_000;
const reportEveryMs = 10_000;

/** One bucket per key, at most 10,000: the one untouched for longest gives way. */
export function createRateLimiter({ burst, perSecond }: RateLimit, clock: Pick<Clock, 'monotonic'>): RateLimiter {
  const buckets = new Map<string, Bucket>(); // in the order of last use

  function refilled(key: string): Bucket {
    const nowMs = clock.monotonic();
    const bucket = buckets.get(key) ?? { tokens: burst, atMs: nowMs, reportedAtMs: -Infinity, unreported: 0 };
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * perSecond);
    bucket.atMs = nowMs;
    buckets.delete(key);
    buckets.set(key, bucket);
    if (buckets.size > maxKeys) buckets.delete(buckets.keys().next().value as string);
    return bucket;
  }

  function refusal(bucket: Bucket): Admission {
    bucket.unreported += 1;
    let report = 0;
    if (bucket.atMs - bucket.reportedAtMs >= reportEveryMs) {
      report = bucket.unreported;
      bucket.unreported = 0;
      bucket.reportedAtMs = bucket.atMs;
    }
    return { admitted: false, retryAfterMs: ((1 - bucket.tokens) / perSecond) * 1000, report };
  }

  return {
    take(key) {
      const bucket = refilled(key);
      if (bucket.tokens < 1) return refusal(bucket);
      bucket.tokens -= 1;
      return { admitted: true };
    },
  };
}

/** Holds back one caller who asks too often; nothing it says is lost. */
export interface Pace {
  /** Resolves at once within the limit, otherwise when its turn has come or the signal aborts. */
  turn(signal: AbortSignal): Promise<void>;
}

export function createPace({ burst, perSecond }: RateLimit, clock: Pick<Clock, 'monotonic' | 'sleep'>): Pace {
  let tokens = burst;
  let atMs = clock.monotonic();
  return {
    async turn(signal) {
      const nowMs = clock.monotonic();
      tokens = Math.min(burst, tokens + ((nowMs - atMs) / 1000) * perSecond) - 1;
      atMs = nowMs;
      if (tokens >= 0) return;
      await clock.sleep((-tokens / perSecond) * 1000, signal).catch(() => {
        tokens += 1; // whoever left has not had its turn
      });
    },
  };
}
