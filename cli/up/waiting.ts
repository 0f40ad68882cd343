import type { Clock, Timer } from '#runtime/clock.ts';
import type { Report, UpEvent } from './events.ts';

export type Wait = Omit<Extract<UpEvent, { event: 'up.waiting' }>, 'event'>;

const firstMs = 3_000;
const everyMs = 5_000;

/** Says what `work` still waits for, as `waits` tells it, when it takes long. */
export async function tellWaits<T>(
  work: Promise<T>,
  waits: () => readonly Wait[],
  { clock, report }: { clock: Clock; report: Report },
): Promise<T> {
  let timer: Timer;
  const tell = (): void => {
    for (const wait of waits()) report({ event: 'up.waiting', ...wait });
    timer = clock.timer(everyMs, tell);
  };
  timer = clock.timer(firstMs, tell);
  return work.finally(() => timer.cancel());
}
