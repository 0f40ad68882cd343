import type { ExchangeLimits } from './http/exchange.ts';
import type { HttpTimes } from './http/serve.ts';

/** Ceilings of one message: larger ones are answered 431, 400 or 502. */
export const defaultLimits: ExchangeLimits = {
  head: { maxBytes: 65_536, maxHeaders: 200 },
  body: { maxTrailerBytes: 16_384, maxTrailers: 100 },
};

export const defaultTimes: HttpTimes = { firstMs: 300_000, headMs: 10_000, idleMs: 300_000, stallMs: 300_000 };

/** A peer opens a connection for a request: one that sends none is not kept. */
export const inboundTimes: HttpTimes = { ...defaultTimes, firstMs: 10_000 };

/** Reaching a peer: one attempt, and all of them. */
export const defaultConnect = { tryMs: 3_000, overallMs: 10_000 };
