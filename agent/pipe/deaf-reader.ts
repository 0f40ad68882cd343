import type { PipeReader } from './pipe.ts';

/** Told of nothing: reads a pipe that nobody reads yet, or whose bytes nobody wants any more. */
export const deafReader: PipeReader = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onCut: () => undefined,
  onDrain: () => undefined,
};
