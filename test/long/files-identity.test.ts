import { describe, expect, test } from 'vitest';
import { runFilesPair, type FolderStep } from '#support/files-pair.ts';

const forMs = 120_000;
const everyMs = 5_000;

const replaceRoot: FolderStep[] = [
  { atMs: 10_000, do: 'trust-next-root' },
  { atMs: 15_000, do: 'issue-by-next-root' },
  { atMs: 20_000, do: 'drop-old-root' },
];

/** Bad for 5 s, then as before for a second, then rewritten. */
const spoils: FolderStep[] = (['missing', 'garbage', 'truncated', 'no-folder'] as const).flatMap((how, index) => {
  const atMs = 26_000 + index * 20_000;
  return [
    { atMs, do: 'spoil', how, forMs: 5_000 },
    { atMs: atMs + 6_000, do: 'rotate' },
  ];
});

const special = [...replaceRoot, ...spoils];
const isFree = (atMs: number): boolean =>
  special.every((step) => atMs < step.atMs || atMs > step.atMs + (step.do === 'spoil' ? step.forMs : 0));

const rewrites: FolderStep[] = Array.from({ length: forMs / everyMs - 1 }, (_none, index) => (index + 1) * everyMs)
  .filter(isFree)
  .map((atMs) => ({ atMs, do: 'rotate' }));

describe('a pair of agents on files alone for two minutes', () => {
  test.concurrent.each(['plain', 'kubernetes'] as const)(
    'A69, A77: certificates of 10 s every 5 s, the root replaced with overlap, files bad four times: 0 failures (%s folder)',
    async (style) => {
      const steps = [...special, ...rewrites];
      const { tallies, cart, prices, warnings } = await runFilesPair(style, steps, forMs);
      for (const { name, done } of tallies) console.info(`${style}: ${name}: ${done}`);
      expect(tallies.flatMap(({ failures }) => failures)).toEqual([]);
      for (const { name, done } of tallies) expect(done, name).toBeGreaterThan(600);
      for (const { workload, rotations, ready, counters } of [cart, prices]) {
        expect([workload, rotations, ready]).toEqual([
          workload,
          steps.filter((step) => step.do !== 'spoil').length,
          true,
        ]);
        expect(counters).toMatchObject({ failed: 0, denied: 0, resets: 0, inboundFailed: 0, inboundDenied: 0 });
        expect(counters).toMatchObject({ handshakesRefused: 0, sessionsFailed: 0 });
      }
      expect(new Set(warnings.map(({ event }) => event))).toEqual(new Set(['identity-files.refused']));
    },
  );
});
