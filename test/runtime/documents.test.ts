import { expect, test } from 'vitest';
import { readDocument } from '#runtime/documents.ts';

test('YAML and JSON become plain values', () => {
  expect(readDocument('a: 1\nb: [x, "y"]\n')).toEqual({ ok: true, value: { a: 1, b: ['x', 'y'] } });
  expect(readDocument('{"a": {"b": null}}')).toEqual({ ok: true, value: { a: { b: null } } });
});

test.each([
  ['a duplicate key', 'a: 1\na: 2\n'],
  ['a duplicate key in JSON', '{"a": 1, "a": 2}'],
  ['two documents', 'a: 1\n---\nb: 2\n'],
  ['an unknown tag', 'a: !run x\n'],
  ['an alias', 'a: &x [1]\nb: *x\n'],
  ['broken YAML', 'a: [1\n'],
])('%s is refused with its place (A67)', (_name, text) => {
  const read = readDocument(text);
  expect(read.ok).toBe(false);
  if (!read.ok) expect(read.reason.line).toBeGreaterThanOrEqual(1);
});

test('a key that means something to JavaScript stays a key', () => {
  const read = readDocument('__proto__: { polluted: true }\n');
  expect(read.ok && Object.hasOwn(read.value as object, '__proto__')).toBe(true);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});
