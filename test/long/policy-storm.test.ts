import { expect, test } from 'vitest';
import { expectNoGrowth } from '#support/process-figures.ts';
import { boundMs, stormStory } from '#support/storm-story.ts';

test('a minute of 100 changes of rules a second under load: no wrong verdict, no failed admitted request, no growth', async () => {
  const figures = await stormStory({
    ...{ warmUpMs: 20_000, forMs: 60_000, changesPerSecond: 100, requestsPerSecond: 300, calls: 12 },
  });
  console.log(JSON.stringify(figures));
  const { failures, wrong, wrongStreams, wrongAtLast, kept } = figures;
  expect({ failures, wrong, wrongStreams, wrongAtLast, broken: kept.broken }).toEqual({
    ...{ failures: [], wrong: [], wrongStreams: [], wrongAtLast: [], broken: [] },
  });
  expect(figures.perSecond).toBeGreaterThan(95);
  expect(figures.strictAllowed).toBeGreaterThan(1_000);
  expect(figures.strictRefused).toBeGreaterThan(1_000);
  expect(figures.cut, 'streams that rules cut').toBeGreaterThan(20);
  expect(figures.convergedMs).toBeLessThan(boundMs);
  expect(figures.auditedChanges).toBe(figures.revision);
  const { 'control-plane': controlPlane, ...agents } = figures.memory;
  for (const [name, memory] of Object.entries(agents)) expectNoGrowth(name, memory);
  // Nobody collects its garbage while it rests: what lives in it stays at some 20 MB, what does not comes and goes.
  expect(controlPlane?.after.anonMb).toBeLessThan(300);
  expect(controlPlane?.after.handles).toBeLessThan(controlPlane!.before.handles + 8);
}, 600_000);
