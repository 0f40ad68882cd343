import type { RateConfig } from '#agent/config-types.ts';

/** One caller's token bucket, held by each of its connections. */
export interface CallerRate {
  /** Takes a token: 0, or how many milliseconds it is until there is one. */
  take(nowMs: number): number;
  /** The connection is over. */
  leave(): void;
}

export interface RateLimits extends RateConfig {
  /** Callers without a connection that are remembered; the one that left first is forgotten first. */
  readonly maxIdleCallers: number;
  readonly maxConnectionsPerCaller: number;
}

/**
 * Limits requests per caller. What is remembered is bounded: by the connections that are open and by `maxIdleCallers`. A
 * caller who is forgotten starts with a full bucket, for which it would need as many other addresses.
 */
export class RateLimiter {
  readonly #limits: RateLimits;
  readonly #active = new Map<string, Bucket>();
  /** In the order of their leaving. */
  readonly #idle = new Map<string, Bucket>();

  constructor(limits: RateLimits) {
    this.#limits = limits;
  }

  /** Callers that are remembered. */
  get size(): number {
    return this.#active.size + this.#idle.size;
  }

  /** A connection of that caller begins; undefined: it has too many. */
  enter(key: string): CallerRate | undefined {
    let bucket = this.#active.get(key);
    if (bucket === undefined) {
      bucket = this.#idle.get(key) ?? new Bucket(this.#limits);
      this.#idle.delete(key);
      this.#active.set(key, bucket);
    }
    if (bucket.connections >= this.#limits.maxConnectionsPerCaller) return undefined;
    bucket.connections += 1;
    const held = bucket;
    return { take: (nowMs) => held.take(nowMs), leave: () => this.#leave(key, held) };
  }

  #leave(key: string, bucket: Bucket): void {
    bucket.connections -= 1;
    if (bucket.connections > 0) return;
    this.#active.delete(key);
    this.#idle.set(key, bucket);
    if (this.#idle.size <= this.#limits.maxIdleCallers) return;
    for (const oldest of this.#idle.keys()) {
      this.#idle.delete(oldest);
      break;
    }
  }
}

class Bucket {
  connections = 0;
  /** Between two tokens. */
  readonly #everyMs: number;
  /** For how long tokens gather until the bucket is full, but for the last one. */
  readonly #burstMs: number;
  #fullAtMs = -Infinity;

  constructor({ perSecond, burst }: RateConfig) {
    this.#everyMs = 1_000 / perSecond;
    this.#burstMs = this.#everyMs * (burst - 1);
  }

  /** The bucket is full again at a moment that each token moves: the only thing to be remembered. */
  take(nowMs: number): number {
    const fullAtMs = Math.max(this.#fullAtMs, nowMs);
    const waitMs = fullAtMs - this.#burstMs - nowMs;
    if (waitMs > 0) return waitMs;
    this.#fullAtMs = fullAtMs + this.#everyMs;
    return 0;
  }
}
