import type { H2Stream } from '#agent/h2/types.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import type { HttpService } from '#agent/http/service.ts';
import type { HeadCache } from './head-cache.ts';

/** A request in the list of its session. */
export interface Listed {
  /** Where the list has it; −1 when it is not there. */
  place: number;
  /** Called once in a while: `elapsedMs` since the last time. */
  sweep(nowMs: number, elapsedMs: number): void;
}

/** The session whose streams carry requests. */
export interface StreamHost<P> {
  readonly service: HttpService<P>;
  readonly heads: HeadCache;
  /** Hands a CONNECT stream to whoever serves tunnels. */
  connect(stream: H2Stream, fields: readonly HeaderField[], end: boolean): void;
  enter(stream: Listed): void;
  leave(stream: Listed): void;
}
