import type { HttpService } from '#agent/http/service.ts';
import type { HeadCache } from './head-cache.ts';

/** A request in the list of its session. */
export interface Listed {
  /** Where the list has it; −1 when it is not there. */
  place: number;
  /** Called once in a while: `elapsedMs` since the last time. */
  sweep(nowMs: number, elapsedMs: number): void;
  /** It may not be allowed any more. */
  reconsider(): void;
}

/** The session whose streams carry requests. */
export interface StreamHost<P> {
  readonly service: HttpService<P>;
  readonly heads: HeadCache;
  enter(stream: Listed): void;
  leave(stream: Listed): void;
}
