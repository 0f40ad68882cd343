import { deafReader } from '#agent/pipe/deaf-reader.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Clock } from '#runtime/clock.ts';

const lingerMs = 1_000;

/** Ends a pipe that nobody needs any more, politely; whoever does not end its side soon is cut. What it says is unread. */
export function letGo(pipe: Pipe, clock: Clock): void {
  const overdue = clock.timer(lingerMs, () => pipe.cut());
  pipe.reader = { ...deafReader, onCut: () => overdue.cancel() };
  pipe.end();
  pipe.resume();
}
