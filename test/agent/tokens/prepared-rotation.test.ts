import { expect, test } from 'vitest';
import { prepareNext } from '#agent/identity/prepare-next.ts';
import type { Identity } from '#agent/identity/store.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { createTestDomain } from '#support/identities.ts';
import { lifeMs, startRotator } from '#support/rotator-stage.ts';
import { until } from '#support/until.ts';

test('a new certificate is published when what rests on it is there, and not before (S52)', async () => {
  const prepared = Promise.withResolvers<void>();
  const asked: { next: Identity; ms: number }[] = [];
  const { clock, store, generation } = startRotator({
    prepare: (next, ms) => {
      asked.push({ next, ms });
      return prepared.promise;
    },
  });
  const first = await generation(1);
  expect(asked).toEqual([]); // nothing serves meanwhile that the first one could wait with
  await clock.advance(0.59 * lifeMs);
  await until(() => asked.length === 1);
  expect(asked[0]!.next.svid.thumbprint).not.toBe(first.svid.thumbprint);
  expect(asked[0]!.ms).toBeLessThanOrEqual(0.21 * lifeMs);
  expect(store.current()).toBe(first);
  prepared.resolve();
  const second = await generation(2);
  expect(second.svid.thumbprint).toBe(asked[0]!.next.svid.thumbprint);
});

test('it waits for half of what the old one has left, and no longer', async () => {
  const { clock, store, generation } = startRotator({ prepare: () => new Promise(() => undefined) });
  const { svid } = await generation(1);
  await clock.advance(0.59 * lifeMs);
  await until(() => clock.waiting() > 0);
  await clock.advance(0.22 * lifeMs);
  await until(() => store.current()?.generation === 2);
  expect(clock.now()).toBeLessThan(svid.notAfterMs);
});

test('stopping ends the wait', async () => {
  const clock = createFakeClock(0);
  const stop = new AbortController();
  const next = await (await createTestDomain()).identity('prices', 60_000);
  const waiting = prepareNext(() => new Promise(() => undefined), next, {
    validForMs: 60_000,
    clock,
    signal: stop.signal,
  });
  stop.abort(new Error('stop'));
  await expect(waiting).rejects.toThrow('stop');
  expect(clock.waiting()).toBe(0);
});
