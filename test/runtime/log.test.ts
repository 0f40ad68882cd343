import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Fault } from '#runtime/fault.ts';
import { describeError } from '#runtime/log.ts';

/** Writes to a real descriptor in a process of its own. */
function logLines(body: string): Record<string, unknown>[] {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const program = `import { createLog } from '#runtime/log.ts';
    const emit = createLog({ levels: { 'a.happened': 'info', 'a.detail': 'debug' }, minLevel: 'info', base: { workload: 'prices' }, fd: 2 });
    ${body}`;
  const run = spawnSync(process.execPath, ['--conditions=source', '--input-type=module', '-e', program], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(run.stdout).toBe('');
  return run.stderr
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the log', () => {
  test('writes one JSON line per event at its level, on the chosen descriptor', () => {
    const [line, ...more] = logLines(`emit({ event: 'a.happened', count: 3 }); emit({ event: 'a.detail' });`);
    expect(more).toEqual([]);
    expect(line).toMatchObject({ level: 'info', event: 'a.happened', count: 3, workload: 'prices' });
    expect(line!['time']).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  test('a SPIFFE ID or path with line feeds stays inside its field (A74)', () => {
    const forged = '/x\n{"level":"info","event":"forged"}';
    const lines = logLines(`emit({ event: 'a.happened', path: ${JSON.stringify(forged)} });`);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ event: 'a.happened', path: forged });
  });

  test('an error keeps code and messages, never a stack or a foreign object', () => {
    const [line] = logLines(`const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', key: 'SECRET' });
      emit({ event: 'a.happened', error: new Error('no answer', { cause }) });`);
    expect(line!['error']).toBe('no answer ← ECONNREFUSED refused');
  });
});

test.each([
  [
    'a fault with causes',
    new Fault('DISK_FULL', 'cannot write', { cause: new Error('ENOSPC') }),
    'DISK_FULL cannot write ← ENOSPC',
  ],
  ['something thrown that is no error', 'just text', 'just text'],
  ['a very long message', new Error('x'.repeat(2000)), 'x'.repeat(500)],
])('%s is told in one line', (_name, error, expected) => {
  expect(describeError(error)).toBe(expected);
});

test('a circle of causes comes to an end', () => {
  const error = new Error('round');
  error.cause = error;
  expect(describeError(error).split('←')).toHaveLength(5);
});
