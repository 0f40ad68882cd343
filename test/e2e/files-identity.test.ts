import { describe, expect, test } from 'vitest';
import { runFilesPair, type FolderStep } from '#support/files-pair.ts';

const steps: FolderStep[] = [
  { atMs: 5_000, do: 'trust-next-root' },
  { atMs: 9_500, do: 'issue-by-next-root' },
  { atMs: 11_000, do: 'spoil', how: 'missing', forMs: 5_000 },
  { atMs: 16_500, do: 'drop-old-root' },
];

describe('a pair of agents on files alone, no control plane', () => {
  test.concurrent.each(['plain', 'kubernetes'] as const)(
    'A69, A77: 10 s certificates rewritten, the root replaced, the files away for 5 s: no app notices (%s folder)',
    async (style) => {
      const { tallies, cart, prices, warnings } = await runFilesPair(style, steps, 20_000);
      expect(tallies.flatMap(({ failures }) => failures)).toEqual([]);
      for (const { name, done } of tallies) expect(done, name).toBeGreaterThan(50);
      for (const { workload, rotations, ready, counters } of [cart, prices]) {
        expect([workload, rotations, ready]).toEqual([workload, 3, true]);
        expect(counters).toMatchObject({ failed: 0, denied: 0, resets: 0, inboundFailed: 0, inboundDenied: 0 });
        expect(counters).toMatchObject({ handshakesRefused: 0, sessionsFailed: 0 });
      }
      const warned = warnings.map(({ event, workload }) => `${workload} ${event}`);
      expect(warned.toSorted()).toEqual(['cart identity-files.refused', 'prices identity-files.refused']);
    },
  );

  test.concurrent('bad for longer than a certificate lives: clear refusals after its expiry, open streams live on, all heals', async () => {
    const outage: FolderStep[] = [
      { atMs: 0, do: 'rotate' },
      { atMs: 500, do: 'spoil', how: 'garbage', forMs: 11_500 },
      { atMs: 12_500, do: 'rotate' },
    ];
    const { tallies, cart, prices, warnings } = await runFilesPair('plain', outage, 17_000);
    const failures = tallies.flatMap((tally) => tally.failures);
    expect(failures.filter(({ atMs }) => atMs < 8_500 || atMs > 15_500)).toEqual([]);
    for (const { name, done } of tallies) expect(done, name).toBeGreaterThan(50);
    const answers = failures.filter(({ caller }) => caller === 'kept connection').map(({ message }) => message);
    expect(answers.length).toBeGreaterThan(5);
    for (const answer of answers) expect(answer).toMatch(/^50[23] \{"title":/);
    const streams = failures.filter(({ caller }) => caller === 'WebSocket' || caller === 'TCP');
    expect(streams, 'whenExpired: keep').toEqual([]);
    expect([cart.ready, prices.ready, cart.rotations, prices.rotations]).toEqual([true, true, 2, 2]);
    const told = warnings.map(({ event, workload }) => `${workload} ${event}`);
    expect(told).toEqual(expect.arrayContaining(['cart svid.expired', 'prices svid.expired']));
  });
});
