import { isIPv6 } from 'node:net';
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

/** `192.0.2.1:40000` → `192.0.2.1`; of IPv6 the first 64 bits, because one host commands all the rest. */
export function addressKey(peerAddress: string): string {
  const host = peerAddress.slice(0, peerAddress.lastIndexOf(':')).replace(/^::ffff:(?=\d+\.)/, '');
  if (!isIPv6(host)) return host;
  const [head = '', tail] = host.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) while (groups.length < 4) groups.push('0'); // what `::` stands for reaches past the 64th bit, or is cut
  return groups.slice(0, 4).join(':');
}
