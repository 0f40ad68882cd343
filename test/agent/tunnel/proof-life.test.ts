import { expect, test } from 'vitest';
import { ProofLife } from '#agent/tunnel/proof-life.ts';
import { createFakeClock } from '#support/fake-clock.ts';

const startMs = 1_800_000_000_000;
const dayMs = 86_400_000;

function stage(lifeMs: { own: number; peer: number }) {
  const clock = createFakeClock(startMs);
  const told: string[] = [];
  const life = new ProofLife({ ownNotAfterMs: startMs + lifeMs.own, peerNotAfterMs: startMs + lifeMs.peer }, clock, {
    onAging: () => void told.push('aging'),
    onClosing: () => void told.push('closing'),
    onExpired: () => void told.push('expired'),
  });
  return { clock, told, life };
}

test('a connection ages at three quarters of its time, closes shortly before its end, and expires', async () => {
  const { clock, told, life } = stage({ own: 100_000, peer: 10_000 });
  expect(life.state).toBe('fresh');
  await clock.advance(7_500);
  expect([life.state, told]).toEqual(['aging', ['aging']]);
  await clock.advance(2_000);
  expect([life.state, told]).toEqual(['closed', ['aging', 'closing']]);
  await clock.advance(500);
  expect(told).toEqual(['aging', 'closing', 'expired']);
});

test('the earlier of the two certificates counts, so both have to be proved anew', async () => {
  const { clock, told, life } = stage({ own: 10_000, peer: 20_000 });
  life.extend({ peerNotAfterMs: startMs + 60_000 });
  await clock.advance(8_000);
  expect(life.state).toBe('aging');
  life.extend({ ownNotAfterMs: startMs + 60_000 });
  expect(life.state).toBe('fresh');
  await clock.advance(30_000);
  expect([life.state, told]).toEqual(['fresh', ['aging']]);
});

test('a certificate that ends earlier than the one before changes nothing', async () => {
  const { clock, life } = stage({ own: 10_000, peer: 10_000 });
  life.extend({ ownNotAfterMs: startMs + 5_000, peerNotAfterMs: startMs + 5_000 });
  await clock.advance(6_000);
  expect(life.state).toBe('fresh');
});

test('a wall clock that was set forward closes it at once, before any timer', () => {
  const { clock, life } = stage({ own: 10_000, peer: 10_000 });
  clock.jumpWall(20_000);
  expect(life.state).toBe('closed');
});

test('a timer that fires too early, after the wall clock was set back, is set again', async () => {
  const { clock, told } = stage({ own: 400 * dayMs, peer: 400 * dayMs });
  clock.jumpWall(-dayMs);
  await clock.advance(400 * dayMs);
  expect(told).toEqual(['aging']);
  await clock.advance(dayMs);
  expect(told).toEqual(['aging', 'closing', 'expired']);
});

test('one that was stopped says nothing more', async () => {
  const { clock, told, life } = stage({ own: 10_000, peer: 10_000 });
  life.stop();
  await clock.advance(20_000);
  expect([told, clock.waiting()]).toEqual([[], 0]);
});
