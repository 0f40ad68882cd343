import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  dropDead,
  dueMove,
  promoteNext,
  publishedKids,
  publishNext,
  revokeKid,
  startRing,
  type KeyRing,
  type RingTimes,
} from '#tokens/key-ring.ts';
import { must, verdict } from '#support/tokens.ts';

/** Tokens of 60 s with a new key every 20 s: several previous keys at a time. */
const times: RingTimes = { rotateEveryMs: 20_000, publishAheadMs: 5_000, maxTokenLifeMs: 60_000, skewMs: 30_000 };
const kids = ({ next, current, previous }: KeyRing) => ({
  next: next?.kid,
  current: current?.kid,
  previous: previous.map(({ kid }) => kid),
});

describe('S75: next → current → previous', () => {
  const first = startRing('a', 0);
  const second = must(publishNext(first, 'b', 1_000));
  const third = must(promoteNext(second, 20_000, times));

  test('each move gives a new ring', () => {
    expect([first, second, third].map(kids)).toEqual([
      { next: undefined, current: 'a', previous: [] },
      { next: 'b', current: 'a', previous: [] },
      { next: undefined, current: 'b', previous: ['a'] },
    ]);
    expect(publishedKids(second)).toEqual(['b', 'a']);
    expect(publishedKids(third)).toEqual(['b', 'a']);
  });

  test('S74: next signs only when every verifier can know it', () => {
    expect(verdict(promoteNext(second, 5_999, times))).toBe('too-early');
    expect(verdict(promoteNext(second, 6_000, times))).toBe('accepted');
    expect(verdict(promoteNext(first, 6_000, times))).toBe('no-next');
  });

  test('one next at a time, each key once', () => {
    expect(verdict(publishNext(second, 'c', 2_000))).toBe('next-is-there');
    expect(verdict(publishNext(third, 'a', 21_000))).toBe('known-kid');
    expect(verdict(publishNext(third, 'b', 21_000))).toBe('known-kid');
  });

  test('S74: previous goes when its last token is dead everywhere, not before', () => {
    expect(publishedKids(dropDead(third, 109_999, times))).toEqual(['b', 'a']);
    expect(publishedKids(dropDead(third, 110_000, times))).toEqual(['b']);
  });

  test('S80: a revoked key is gone at once, and nothing signs before the next may', () => {
    expect(kids(revokeKid(third, 'a'))).toEqual({ next: undefined, current: 'b', previous: [] });
    const breached = revokeKid(second, 'a');
    expect(kids(breached)).toEqual({ next: 'b', current: undefined, previous: [] });
    expect(dueMove(breached, 2_000, times)).toEqual({ move: 'promote-next', atMs: 6_000 });
    expect(kids(must(promoteNext(breached, 6_000, times)))).toEqual({ next: undefined, current: 'b', previous: [] });
    expect(kids(revokeKid(second, 'b'))).toEqual({ next: undefined, current: 'a', previous: [] });
  });

  test('what is due: a next key at once, its promotion by the schedule, and what is dead', () => {
    expect(dueMove(first, 100, times)).toEqual({ move: 'publish-next', atMs: 100 });
    expect(dueMove(second, 2_000, times)).toEqual({ move: 'promote-next', atMs: 20_000 });
    const late = must(publishNext(first, 'b', 19_000));
    expect(dueMove(late, 19_000, times)).toEqual({ move: 'promote-next', atMs: 24_000 });
    const slow = { ...times, rotateEveryMs: 1_000_000 };
    expect(dueMove(must(publishNext(third, 'c', 21_000)), 21_000, slow)).toEqual({ move: 'drop-dead', atMs: 110_000 });
  });
});

interface LiveToken {
  readonly kid: string;
  readonly deadAtMs: number;
}

type Step = readonly [action: 'publish' | 'promote' | 'drop' | 'due' | 'crash', waitMs: number];

function moved(
  ring: KeyRing,
  action: Exclude<Step[0], 'crash'>,
  { kid, nowMs }: { kid: string; nowMs: number },
  ringTimes: RingTimes,
) {
  const due = action === 'due' ? dueMove(ring, nowMs, ringTimes) : undefined;
  if (due && due.atMs > nowMs) return ring;
  if (action === 'drop' || due?.move === 'drop-dead') return dropDead(ring, nowMs, ringTimes);
  const isPublishing = action === 'publish' || due?.move === 'publish-next';
  const made = isPublishing ? publishNext(ring, kid, nowMs) : promoteNext(ring, nowMs, ringTimes);
  return made.ok ? made.value : ring;
}

/**
 * Signs one token after each step, and keeps every published set with its time, as verifiers saw it. A crash comes after a move
 * was made and before it was stored: the program starts again with what is on disk.
 */
function run(steps: readonly Step[], ringTimes: RingTimes) {
  let stored = JSON.stringify(startRing('k0', 0));
  let nowMs = 0;
  let live: LiveToken[] = [];
  const sets: { atMs: number; kids: readonly string[] }[] = [{ atMs: 0, kids: ['k0'] }];
  for (const [index, [action, waitMs]] of steps.entries()) {
    nowMs += waitMs;
    const before = JSON.parse(stored) as KeyRing;
    const ring = moved(before, action === 'crash' ? 'due' : action, { kid: `k${index + 1}`, nowMs }, ringTimes);
    if (action !== 'crash') stored = JSON.stringify(ring);
    const used = JSON.parse(stored) as KeyRing;
    const published = publishedKids(used);
    sets.push({ atMs: nowMs, kids: published });
    const signer = used.current?.kid ?? 'nobody';
    // Whoever looked last `publishAheadMs` ago, and anybody since, knows the key.
    const seenSince = sets.findLastIndex(({ atMs }) => atMs <= nowMs - ringTimes.publishAheadMs);
    const unaware = sets.slice(Math.max(0, seenSince)).filter(({ kids: known }) => !known.includes(signer));
    if (unaware.length > 0) throw new Error(`${signer} signs before all know it`);
    live.push({ kid: signer, deadAtMs: nowMs + ringTimes.maxTokenLifeMs + ringTimes.skewMs });
    live = live.filter(({ deadAtMs }) => nowMs < deadAtMs);
    const orphan = live.find(({ kid }) => !published.includes(kid));
    if (orphan) throw new Error(`a live token of ${orphan.kid} has no published key`);
  }
  const last = JSON.parse(stored) as KeyRing;
  return { promoted: last.current?.kid !== 'k0', size: publishedKids(last).length };
}

describe('S74, S75, A40: laws', () => {
  const action = fc.constantFrom<Step[0]>('publish', 'promote', 'drop', 'due', 'due', 'crash');
  const steps = fc.array(fc.tuple(action, fc.integer({ min: 0, max: 30_000 })), { minLength: 1, maxLength: 60 });
  const anyTimes = fc.record({
    rotateEveryMs: fc.integer({ min: 1, max: 100_000 }),
    publishAheadMs: fc.integer({ min: 0, max: 50_000 }),
    maxTokenLifeMs: fc.integer({ min: 1, max: 100_000 }),
    skewMs: fc.integer({ min: 0, max: 30_000 }),
  });

  test('at no instant lacks a live token its published key, or a signing key its verifiers, through any moves and crashes', () => {
    let promotions = 0;
    fc.assert(
      fc.property(steps, anyTimes, (moves, ringTimes) => {
        if (run(moves, ringTimes).promoted) promotions += 1;
      }),
      { numRuns: 1_000 },
    );
    expect(promotions).toBeGreaterThan(200);
  });

  test('following what is due rotates for ever with a bounded number of keys', () => {
    const ticks = Array.from({ length: 5_000 }, (): Step => ['due', 500]);
    const { promoted, size } = run(ticks, times);
    expect(promoted).toBe(true);
    expect(size).toBeLessThanOrEqual(7);
  });
});
