import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  constants,
  readSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLineOutput, type LineOutput } from '#agent/access-log/line-output.ts';
import { createFakeClock } from '#support/fake-clock.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eastwest-lines-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (output: LineOutput, text: string): Promise<number | 'failed'> =>
  new Promise((resolve) => output.write(Buffer.from(text), resolve));

test('a file is appended to, and is its user’s alone', async () => {
  const path = join(folder, 'access.log');
  for (const line of ['one\n', 'two\n']) {
    const output = openLineOutput({ kind: 'file', path }, createFakeClock(0));
    expect(await write(output, line)).toBe(4);
    output.close();
  }
  expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test.each(['renamed', 'removed'] as const)('a file that was %s is made anew within a second', async (how) => {
  const path = join(folder, 'access.log');
  const clock = createFakeClock(0);
  const output = openLineOutput({ kind: 'file', path }, clock);
  await write(output, 'one\n');
  if (how === 'renamed') renameSync(path, `${path}.1`);
  else rmSync(path);
  await clock.advance(1_000);
  await write(output, 'two\n');
  output.close();
  expect(readFileSync(path, 'utf8')).toBe('two\n');
});

test('a folder that is gone for a while costs the lines of that while', async () => {
  const path = join(folder, 'logs', 'access.log');
  execFileSync('mkdir', [join(folder, 'logs')]);
  const clock = createFakeClock(0);
  const output = openLineOutput({ kind: 'file', path }, clock);
  rmSync(join(folder, 'logs'), { recursive: true });
  await clock.advance(1_000);
  expect(await write(output, 'lost\n')).toBe(5);
  execFileSync('mkdir', [join(folder, 'logs')]);
  await clock.advance(1_000);
  await write(output, 'kept\n');
  output.close();
  expect(readFileSync(path, 'utf8')).toBe('kept\n');
});

test('a path that cannot be opened is told at the start', () => {
  expect(() => openLineOutput({ kind: 'file', path: join(folder, 'no', 'access.log') }, createFakeClock(0))).toThrow(
    expect.objectContaining({ code: 'ACCESS_LOG_NOT_OPEN' }),
  );
});

test('a pipe that nobody empties takes what fits, then says that there is no room, and blocks nobody', async () => {
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const output = openLineOutput({ kind: 'file', path }, createFakeClock(0));
  let taken = 0;
  for (;;) {
    const written = await write(output, 'x'.repeat(65_536));
    if (written === 0) break;
    taken += written as number;
  }
  expect(taken).toBeGreaterThan(0);
  readSync(reader, Buffer.alloc(8_192));
  expect(await write(output, 'x'.repeat(4_096))).toBeGreaterThan(0);
  output.close();
  closeSync(reader);
});
