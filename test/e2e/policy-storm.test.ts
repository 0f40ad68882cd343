import { expect, test } from 'vitest';
import { stormStory } from '#support/storm-story.ts';

test('no wrong verdict and no failed admitted request in a storm of 100 changes of rules a second (a minute of it: test:long)', async () => {
  const figures = await stormStory({
    ...{ warmUpMs: 0, forMs: 6_000, changesPerSecond: 100, requestsPerSecond: 150, calls: 6 },
  });
  console.log(JSON.stringify(figures));
  const { failures, wrong, wrongStreams, wrongAtLast, kept } = figures;
  expect({ failures, wrong, wrongStreams, wrongAtLast, broken: kept.broken }).toEqual({
    ...{ failures: [], wrong: [], wrongStreams: [], wrongAtLast: [], broken: [] },
  });
  expect(Math.min(figures.strictAllowed, figures.strictRefused)).toBeGreaterThan(30);
  expect(figures.cut, 'streams that rules cut').toBeGreaterThan(0);
  expect(figures.auditedChanges).toBe(figures.revision);
  expect(figures.convergedMs).toBeLessThan(5_000); // on a busy machine; a push that was lost would take for ever
}, 180_000);
