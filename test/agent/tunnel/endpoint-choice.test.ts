import { describe, expect, test } from 'vitest';
import { EndpointChoice, chooseOfTwo } from '#agent/tunnel/endpoint-choice.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { seededRandom } from '#support/seeded-random.ts';

const candidates = (loads: readonly number[]) => loads.map((load, at) => ({ at, load, asideUntilMs: 0 }));

describe('least requests of two random choices', () => {
  test('has nothing to choose from nothing, and the only one of one', () => {
    expect(chooseOfTwo([], seededRandom())).toBeUndefined();
    expect(chooseOfTwo(candidates([7]), seededRandom())?.at).toBe(0);
  });

  test('of two, always takes the one with less to do', () => {
    const random = seededRandom();
    for (let turn = 0; turn < 100; turn += 1) expect(chooseOfTwo(candidates([3, 2]), random)?.at).toBe(1);
  });

  test('never takes the busiest of many', () => {
    const random = seededRandom();
    for (let turn = 0; turn < 1_000; turn += 1) expect(chooseOfTwo(candidates([0, 9, 0, 1]), random)?.at).not.toBe(1);
  });

  test('spreads requests that never end evenly: no endpoint is more than two away from its share', () => {
    const random = seededRandom();
    const loads = Array.from({ length: 10 }, () => 0);
    for (let turn = 0; turn < 1_000; turn += 1) loads[chooseOfTwo(candidates(loads), random)!.at]! += 1;
    for (const load of loads) expect(Math.abs(load - 100)).toBeLessThanOrEqual(4);
  });

  test('spreads requests that end at once evenly too: equal ones are taken by chance', () => {
    const random = seededRandom();
    const counts = [0, 0, 0];
    for (let turn = 0; turn < 3_000; turn += 1) counts[chooseOfTwo(candidates([0, 0, 0]), random)!.at]! += 1;
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(120);
  });
});

describe('endpoints that were set aside', () => {
  const world = (asideUntilMs: readonly number[]) => {
    const clock = createFakeClock(0);
    const all = asideUntilMs.map((until, at) => ({ at, load: at === 0 ? 0 : 5, asideUntilMs: until }));
    const choice = new EndpointChoice<(typeof all)[number]>({ clock, random: seededRandom() });
    choice.replace(all);
    return { clock, all, choice };
  };

  test('are left alone until their time is over', async () => {
    const { choice, clock } = world([1_000, 0, 0]);
    for (let turn = 0; turn < 50; turn += 1) expect(choice.choose()?.at).not.toBe(0);
    await clock.advance(1_000);
    const later = new Set(Array.from({ length: 50 }, () => choice.choose()?.at));
    expect(later).toContain(0);
  });

  test('are used all the same where all are set aside', () => {
    const { choice } = world([1_000, 2_000]);
    expect(choice.choose()).toBeDefined();
  });

  test('are the last that a retry asks', () => {
    const { choice, all } = world([1_000, 0, 0]);
    expect(choice.chooseBut(new Set([all[1]!]))?.at).toBe(2);
    expect(choice.chooseBut(new Set([all[1]!, all[2]!]))?.at).toBe(0);
    expect(choice.chooseBut(new Set(all))).toBeUndefined();
  });
});
