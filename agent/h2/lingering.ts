import { deafReader } from '#agent/pipe/deaf-reader.ts';
import type { PipeReader } from '#agent/pipe/pipe.ts';

/** Reads what still comes after our last word, so that the end of the connection does not destroy it on its way. */
export function lingering(onOver: () => void): PipeReader {
  return { ...deafReader, onCut: onOver };
}
