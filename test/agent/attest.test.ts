import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { createJoinTokens } from '#agent/identity/attest.ts';

const workload = 'prices';
const nothing = () => Readable.from([]);

async function tokenFile(text: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'eastwest-token-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const path = join(dir, 'token');
  await writeFile(path, text);
  return path;
}

test('a token comes from a file and is forgotten once it is spent (S40, S41)', async () => {
  const tokens = createJoinTokens({ kind: 'file', path: await tokenFile('abc-123\n') }, { workload, stdin: nothing() });
  expect(await tokens.unspent()).toBe('abc-123');
  expect(await tokens.unspent()).toBe('abc-123');
  tokens.markSpent();
  expect(await tokens.unspent()).toBeUndefined();
});

test('a new token in the file is found after the first one was spent', async () => {
  const path = await tokenFile('abc-123\n');
  const tokens = createJoinTokens({ kind: 'file', path }, { workload, stdin: nothing() });
  await tokens.unspent();
  tokens.markSpent();
  await writeFile(path, '');
  expect(await tokens.unspent()).toBeUndefined();
  await writeFile(path, 'def-456\n');
  expect(await tokens.unspent()).toBe('def-456');
});

test.each([
  ['in one piece', ['abc-123\n']],
  ['in pieces', ['abc', '-123', '\n', 'more']],
  ['without a line feed', ['abc-123']],
])('a token comes from standard input %s', async (_name, pieces) => {
  const tokens = createJoinTokens({ kind: 'stdin' }, { workload, stdin: Readable.from(pieces) });
  expect(await tokens.unspent()).toBe('abc-123');
});

test('standard input that stays open after the line does not hold anybody up', async () => {
  const stdin = new Readable({ read() {} });
  stdin.push('abc-123\n');
  const tokens = createJoinTokens({ kind: 'stdin' }, { workload, stdin });
  expect(await tokens.unspent()).toBe('abc-123');
});

test('without a source there is none', async () => {
  expect(await createJoinTokens(undefined, { workload, stdin: nothing() }).unspent()).toBeUndefined();
});

test.each([
  ['an empty file', ''],
  ['two lines', 'abc\ndef\n'],
  ['something that is no text', '\u0000\u0001'],
  ['something huge', 'x'.repeat(100_000)],
])('%s is a fault that tells what to do and does not repeat the content', async (_name, text) => {
  const tokens = createJoinTokens({ kind: 'file', path: await tokenFile(text) }, { workload, stdin: nothing() });
  const fault = await tokens.unspent().catch((error: unknown) => error as Error & { hint: string });
  expect(fault).toMatchObject({ code: 'JOIN_TOKEN_UNREADABLE' });
  expect((fault as { hint: string }).hint).toContain('eastwest token create prices');
});

test('a file that is missing is a fault', async () => {
  const tokens = createJoinTokens({ kind: 'file', path: '/nowhere/token' }, { workload, stdin: nothing() });
  await expect(tokens.unspent()).rejects.toMatchObject({ code: 'JOIN_TOKEN_UNREADABLE' });
});
