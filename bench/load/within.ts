import { systemClock } from '#runtime/system-clock.ts';

export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const late = systemClock.sleep(ms).then(() => Promise.reject(new Error(`connections were not ready after ${ms} ms`)));
  await Promise.race([work, late]);
}
