import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { accessLogsIn, removeAccessLogs, turnOver } from '#cli/up/access-logs.ts';
import { freshFolder } from '#support/fresh-folder.ts';

test('an access log that has grown is turned over, and the one before it goes', async () => {
  await using folder = freshFolder();
  const log = join(folder.path, 'prices.access.log');
  turnOver(log, 3);
  turnOver(undefined);
  writeFileSync(log, 'one');
  turnOver(log, 3);
  expect(existsSync(`${log}.1`)).toBe(false);
  for (const text of ['first', 'second']) {
    writeFileSync(log, text);
    turnOver(log, 3);
    expect([existsSync(log), readFileSync(`${log}.1`, 'utf8')]).toEqual([false, text]);
  }
  writeFileSync(log, 'now');
  turnOver(log);
  expect(existsSync(log)).toBe(true);
});

test('a run begins without those of the run before, and keeps other files', async () => {
  await using folder = freshFolder();
  const files = ['a.access.log', 'a.access.log.1', 'a.agent.log', 'a.app.log'].map((name) => join(folder.path, name));
  for (const file of files) writeFileSync(file, '');
  expect(accessLogsIn(folder.path)).toEqual(files.slice(0, 2));
  removeAccessLogs(folder.path);
  expect(files.map((file) => existsSync(file))).toEqual([false, false, true, true]);
  expect(accessLogsIn(join(folder.path, 'none'))).toEqual([]);
});
