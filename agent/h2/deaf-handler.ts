import type { H2StreamHandler } from './types.ts';

/** Told of nothing: for streams that have broken, that nobody handles yet, or whose bytes mean nothing any more. */
export const deafHandler: H2StreamHandler = {
  onHeaders: () => undefined,
  onData: () => undefined,
  onEnd: () => undefined,
  onReset: () => undefined,
  onDrain: () => undefined,
};
