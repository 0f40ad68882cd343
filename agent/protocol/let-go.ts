import type { Pipe, PipeReader } from '#agent/pipe/pipe.ts';
import type { Clock } from '#runtime/clock.ts';

const lingerMs = 1_000;

/** Ends a pipe that nobody needs any more, politely; whoever does not end its side soon is cut. What it says is unread. */
export function letGo(pipe: Pipe, clock: Clock): void {
  const overdue = clock.timer(lingerMs, () => pipe.cut());
  const reader: PipeReader = {
    onBytes: () => undefined,
    onEnd: () => undefined,
    onCut: () => overdue.cancel(),
    onDrain: () => undefined,
  };
  pipe.reader = reader;
  pipe.end();
  pipe.resume();
}
