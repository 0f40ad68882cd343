import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkout, copyCheckout, freshFolder, type Ended, type FreshFolder } from '#support/fresh-folder.ts';
import { byHandHeading, commandsIn } from '#support/readme.ts';

/** How each command is run below. `npm test` cannot run inside itself: `.ci/run` runs that line as it stands. */
const runs: Readonly<Record<string, 'mesh' | 'beside the mesh' | 'ci'>> = {
  'npm ci && npm start': 'mesh',
  'npm start -- --for 45s --json': 'mesh',
  'npx eastwest status': 'beside the mesh',
  'npx eastwest status --json': 'beside the mesh',
  'npx eastwest cert show prices': 'beside the mesh',
  'npx eastwest --help': 'beside the mesh',
  'npm ci && npm test': 'ci',
};

interface Summary {
  readonly requests: number;
  readonly failed: number;
  readonly resets: number;
  readonly workloads: readonly { readonly name: string; readonly spiffeId: string; readonly rotations: number }[];
}

test('every command of the README is run by a test, and every command run here is in the README', () => {
  const byHand = commandsIn('README.md', byHandHeading); // test/tiers/by-hand.test.ts runs each of them
  expect(byHand.length).toBeGreaterThan(4);
  expect(commandsIn('README.md').toSorted()).toEqual([...Object.keys(runs), ...byHand].toSorted());
});

test('the README’s test command is the first thing that CI runs', () => {
  const ci = readFileSync(join(checkout, '.ci', 'run'), 'utf8');
  for (const command of Object.keys(runs).filter((line) => runs[line] === 'ci')) expect(ci).toContain(`'${command}'`);
});

describe('in a fresh copy of the repository, with the machine’s own Node and npm', () => {
  let folder: FreshFolder;

  beforeAll(async () => {
    folder = freshFolder();
    await copyCheckout(folder);
    const installed = await folder.run('npm ci --ignore-scripts', { deadlineMs: 180_000 });
    expect(installed, installed.stderr).toMatchObject({ code: 0 });
  }, 200_000);

  afterAll(() => folder[Symbol.asyncDispose]());

  test('npm start runs 45 s with no failed request and a rotation of every workload; status tells the same', async () => {
    const mesh = folder.run('npm start --silent -- --for 45s --json', { deadlineMs: 120_000 });
    const seen = await statusWhile(mesh, folder);
    const beside = [
      await folder.run('npx eastwest status', { deadlineMs: 20_000 }),
      await folder.run('npx eastwest cert show prices', { deadlineMs: 20_000 }),
      await folder.run('npx eastwest --help', { deadlineMs: 20_000 }),
    ];
    for (const ended of beside) expect(ended, ended.stderr).toMatchObject({ code: 0 });

    const ended = await mesh;
    expect(ended, ended.stderr.slice(-2000)).toMatchObject({ code: 0 });
    const summary = JSON.parse(ended.stdout.trim().split('\n').at(-1) ?? '') as Summary;
    expect(summary).toMatchObject({ failed: 0, resets: 0 });
    expect(summary.requests).toBeGreaterThan(seen.requests);
    for (const workload of summary.workloads) expect(workload.rotations).toBeGreaterThanOrEqual(1);
    expect(seen.workloads.map((workload) => workload.spiffeId)).toEqual(
      summary.workloads.map((workload) => workload.spiffeId),
    );
  });
});

/** Asks from outside until the mesh answers with some traffic; fails when the mesh ends before that. */
async function statusWhile(mesh: Promise<Ended>, folder: FreshFolder): Promise<Summary> {
  let ended: Ended | undefined;
  void mesh.then((end) => (ended = end));
  while (ended === undefined) {
    const status = await folder.run('npx eastwest status --json', { deadlineMs: 20_000 });
    if (status.code === 0) {
      const seen = JSON.parse(status.stdout) as Summary;
      if (seen.requests > 0) return seen;
    }
    await pause(500);
  }
  throw new Error(`the mesh ended before it answered: ${ended.stderr.slice(-2000)}`);
}
