import { expect, test } from 'vitest';
import { singleFlight } from '#runtime/single-flight.ts';

test('whoever asks while it runs shares one run; the next one starts anew', async () => {
  const runs: PromiseWithResolvers<string>[] = [];
  const ask = singleFlight(() => {
    const run = Promise.withResolvers<string>();
    runs.push(run);
    return run.promise;
  });
  const first = [ask(), ask(), ask()];
  expect(runs).toHaveLength(1);
  runs[0]!.resolve('one');
  expect(await Promise.all(first)).toEqual(['one', 'one', 'one']);
  const second = ask();
  expect(runs).toHaveLength(2);
  runs[1]!.resolve('two');
  expect(await second).toBe('two');
});

test('a failure reaches all who asked and is not remembered', async () => {
  let runs = 0;
  const ask = singleFlight(async () => {
    runs += 1;
    if (runs === 1) throw new Error('broken');
    return runs;
  });
  const outcomes = await Promise.allSettled([ask(), ask()]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await ask()).toBe(2);
});
