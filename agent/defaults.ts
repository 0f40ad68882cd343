import type { LimitsConfig } from './config-types.ts';
import type { HttpTimes, MessageLimits } from './http/service.ts';
import type { QueueLimits } from './http/waiting-request.ts';

/** Ceilings and deadlines where the configuration says nothing. */
export const defaultLimits: LimitsConfig = {
  headBytes: 65_536,
  headers: 200,
  trailerBytes: 16_384,
  trailers: 100,
  headMs: 10_000,
  idleMs: 300_000,
  stallMs: 300_000,
  connections: 20_000,
  requests: 20_000,
};

/** Reaching a peer: one attempt, and all of them. */
export const defaultConnect = { tryMs: 3_000, overallMs: 10_000 };

/** Of requests for which all connections or streams to an app are taken. */
export const defaultQueue: QueueLimits = { maxRequests: 1_000, maxMs: 10_000 };

/** Protocols in which the server has the first word: FTP, SSH, SMTP, POP3, IMAP, submission, MySQL, NATS, VNC. */
export const defaultServerFirst: readonly number[] = [21, 22, 25, 110, 143, 587, 3306, 4222, 5900];

/** The PROXY protocol's first type for applications. */
export const defaultSpiffeIdTlv = 0xe0;

export function messageLimits({ headBytes, headers, trailerBytes, trailers }: LimitsConfig): MessageLimits {
  return {
    head: { maxBytes: headBytes, maxHeaders: headers },
    body: { maxTrailerBytes: trailerBytes, maxTrailers: trailers },
  };
}

/** Of the app's own connections. */
export function appTimes({ headMs, idleMs, stallMs }: LimitsConfig): HttpTimes {
  return { firstMs: idleMs, headMs, idleMs, stallMs };
}

/** A peer opens a connection for a request: one that sends none is not kept. */
export function peerTimes(limits: LimitsConfig): HttpTimes {
  return { ...appTimes(limits), firstMs: limits.headMs };
}
