import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { followPolicyFolder } from '#control-plane/policies/folder.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { freshFolder } from '#support/fresh-folder.ts';
import { openPolicyStage } from '#support/policy-stage.ts';
import { allowText, documents } from '#support/mesh-policies.ts';

async function follow() {
  const folder = freshFolder();
  const dir = join(folder.path, 'policies');
  await mkdir(dir);
  const stage = openPolicyStage(dir);
  const stop = new AbortController();
  const following = followPolicyFolder(
    { dir, keeper: stage.keeper, clock: systemClock, emit: stage.emit },
    stop.signal,
  );
  following.catch(() => undefined);
  onTestFinished(async () => {
    stop.abort(new Error('done'));
    await expect(following).rejects.toThrow('done');
    await folder[Symbol.asyncDispose]();
  });
  const write = (name: string, text: string) => writeFile(join(dir, name), text);
  const names = () => stage.keeper.all().map(({ name }) => name);
  const refused = () => stage.events.filter((event) => event.event === 'policy-files.refused');
  return { ...stage, dir, write, names, refused };
}

const soon = { timeout: 5_000 };

test('the folder’s files are in force as they are written, changed and removed', async () => {
  const { dir, write, names, keeper } = await follow();
  await write('a.yaml', documents(allowText('one'), allowText('two')));
  await write('notes.txt', 'not for us');
  await expect.poll(names, soon).toEqual(['one', 'two']);
  expect(keeper.all()[0]?.source).toBe(join(dir, 'a.yaml'));
  await write('b.yaml', allowText('two'));
  await write('a.yaml', allowText('one'));
  await expect.poll(names, soon).toEqual(expect.arrayContaining(['one', 'two']));
  await rm(join(dir, 'a.yaml'));
  await expect.poll(names, soon).toEqual(['two']);
});

test.each([
  ['whose last file is gone', (file: string) => rm(file)],
  ['whose last document is commented out', (file: string) => writeFile(file, allowText('one').replaceAll(/^/gm, '# '))],
])(
  'a folder %s keeps what was in force, and says so: only who deletes it by name takes it out',
  async (_what, empty) => {
    const { dir, write, names, refused, keeper } = await follow();
    const one = { kind: 'AuthorizationPolicy', namespace: 'default', name: 'one' };
    await write('a.yaml', allowText('one'));
    await expect.poll(names, soon).toEqual(['one']);
    expect(await keeper.delete(one)).toMatchObject({ problem: expect.stringContaining('change it there') });
    await empty(join(dir, 'a.yaml'));
    const problem = expect.stringMatching(
      /^holds no document; the 1 that came from there stay in force: .*policy delete/,
    );
    await expect.poll(refused, soon).toMatchObject([{ file: dir, line: 1, column: 1, path: '', problem, problems: 1 }]);
    expect(names()).toEqual(['one']);
    expect(await keeper.delete(one)).toMatchObject({ problem: '' });
    expect(names()).toEqual([]);
    await write('a.yaml', allowText('two'));
    await expect.poll(names, soon).toEqual(['two']);
    expect(await keeper.delete({ ...one, name: 'two' }), 'is the folder’s again').toMatchObject({
      problem: expect.stringContaining('change it there'),
    });
  },
);

test('one bad document changes nothing in the whole folder, and is told once with line and column (A67)', async () => {
  const { dir, write, names, refused } = await follow();
  await write('a.yaml', allowText('one'));
  await expect.poll(names, soon).toEqual(['one']);
  await write('b.yaml', allowText('two').replace('action: ALLOW', 'action: ALOW'));
  await rm(join(dir, 'a.yaml'));
  await expect
    .poll(refused, soon)
    .toMatchObject([{ file: join(dir, 'b.yaml'), line: 5, column: 3, path: 'spec.action', problems: 1 }]);
  await systemClock.sleep(2_500); // past a poll: nothing is told again
  expect(refused()).toHaveLength(1);
  expect(names()).toEqual(['one']);
  await write('b.yaml', allowText('two'));
  await expect.poll(names, soon).toEqual(['two']);
});

test('what somebody may not mean is told once, and in force', async () => {
  const { dir, write, names, events } = await follow();
  await write('a.yaml', allowText('one').replace('shop.example/', 'far.example/'));
  await expect.poll(names, soon).toEqual(['one']);
  const doubtful = () => events.filter(({ event }) => event === 'policy-files.doubtful');
  const problem = expect.stringContaining('far.example, of which nobody is believed');
  const path = 'spec.rules[0].from[0].source.principals';
  await expect.poll(doubtful, soon).toMatchObject([{ file: join(dir, 'a.yaml'), line: 7, path, problem, problems: 1 }]);
});

test('a folder that cannot be read keeps what was good', async () => {
  const { dir, write, names, refused } = await follow();
  await write('a.yaml', allowText('one'));
  await expect.poll(names, soon).toEqual(['one']);
  await rename(dir, `${dir}.away`);
  await expect.poll(refused, soon).toMatchObject([{ file: dir, problem: 'cannot be read: ENOENT' }]);
  expect(names()).toEqual(['one']);
  await rename(`${dir}.away`, dir);
  await write('b.yaml', allowText('two'));
  await expect.poll(names, soon).toEqual(['one', 'two']);
});

test('files that hang on a swapped `..data` link are followed (A69)', async () => {
  const { dir, names } = await follow();
  for (const name of ['one', 'two']) {
    await mkdir(join(dir, `..${name}`));
    await writeFile(join(dir, `..${name}`, 'a.yaml'), allowText(name));
    await symlink(`..${name}`, join(dir, '..data_tmp'));
    await rename(join(dir, '..data_tmp'), join(dir, '..data'));
    if (name === 'one') await symlink('..data/a.yaml', join(dir, 'a.yaml'));
    await expect.poll(names, soon).toEqual([name]);
  }
});

test('what an operator’s document was in the way of is taken once that is gone', async () => {
  const { apply, keeper, write, names, refused } = await follow();
  await apply(allowText('one'));
  await write('a.yaml', documents(allowText('one'), allowText('two')));
  await expect.poll(refused, soon).toMatchObject([{ problem: expect.stringContaining('applied by the operator') }]);
  await keeper.delete({ kind: 'AuthorizationPolicy', namespace: 'default', name: 'one' });
  await expect.poll(names, soon).toEqual(['one', 'two']);
});

test('an empty file takes nothing away and is told: it may be about to be written', async () => {
  const { dir, write, names, refused } = await follow();
  await write('a.yaml', allowText('one'));
  await expect.poll(names, soon).toEqual(['one']);
  await write('a.yaml', '');
  await expect
    .poll(refused, soon)
    .toMatchObject([{ file: join(dir, 'a.yaml'), problem: expect.stringContaining('is empty') }]);
  expect(names()).toEqual(['one']);
  await write('a.yaml', allowText('two'));
  await expect.poll(names, soon).toEqual(['two']);
});

test('while one file never rests the others are in force, and of that one what was good', async () => {
  const { dir, write, names, keeper } = await follow();
  await write('restless.yaml', allowText('restless'));
  await write('gone.yaml', allowText('gone'));
  await expect.poll(names, soon).toEqual(['gone', 'restless']);
  const stop = new AbortController();
  const writing = (async () => {
    for (let count = 0; !stop.signal.aborted; count += 1) {
      await write('restless.yaml', `${allowText('restless', { path: `/${count}` })}# half written`);
      await systemClock.sleep(5);
    }
  })();
  onTestFinished(async () => {
    stop.abort();
    await writing;
  });
  await write('calm.yaml', allowText('calm'));
  await rm(join(dir, 'gone.yaml'));
  await expect.poll(() => names().toSorted(), soon).toEqual(['calm', 'restless']);
  stop.abort();
  await writing;
  await write('restless.yaml', allowText('restless', { path: '/at/last' }));
  await expect.poll(() => keeper.all().some(({ json }) => json.includes('/at/last')), soon).toBe(true);
});
