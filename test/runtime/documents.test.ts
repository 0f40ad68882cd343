import { expect, test } from 'vitest';
import { cutDocuments, readDocument, readDocuments } from '#runtime/documents.ts';

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

test('several documents become values that know where they stand', () => {
  const read = readDocuments('# first\na: [1, { b: x }]\n---\n---\n- c\n...\n');
  expect(read.ok && read.value.map(({ value }) => value)).toEqual([{ a: [1, { b: 'x' }] }, ['c']]);
  const [first] = read.ok ? read.value : [];
  expect(first?.placeOf(['a', 1, 'b'])).toEqual({ line: 2, column: 10 });
  expect(first?.placeOf(['a', 1, 'missing', 'more'])).toEqual({ line: 2, column: 8 });
  expect(first?.placeOf([])).toEqual({ line: 2, column: 1 });
  expect(readDocuments('')).toEqual({ ok: true, value: [] });
});

test.each([
  ['documents', 'a: 1\n---\nb: 2\n--- # three\nc: 3\n', ['a: 1\n', '---\nb: 2\n', '--- # three\nc: 3\n']],
  ['a text without any', '', []],
  ['an empty one at the end', 'a: 1\r\n---', ['a: 1\r\n', '---']],
  ['a line that begins with more dashes', 'a: 1\n----\n', ['a: 1\n----\n']],
  ['a text with directives, which belong to what follows', '%YAML 1.2\n---\na: 1\n', ['%YAML 1.2\n---\na: 1\n']],
  ['a text with ends of documents', 'a: 1\n...\n---\nb: 1\n', ['a: 1\n...\n---\nb: 1\n']],
])('%s are cut where documents begin', (_name, text, pieces) => {
  const cut = [...cutDocuments(text)];
  expect(cut.map((piece) => piece.text)).toEqual(pieces);
  expect(cut.map(({ linesBefore }) => linesBefore)).toEqual(
    pieces.map((_piece, index) => pieces.slice(0, index).join('').split('\n').length - 1),
  );
});

test('lines are counted on', () => {
  expect(readDocuments('---\na: 1\na: 2\n', 40)).toMatchObject({ reason: [{ line: 43, column: 1 }] });
  const read = readDocuments('---\na: 1\n', 40);
  expect(read.ok && read.value[0]?.placeOf(['a'])).toEqual({ line: 42, column: 1 });
});

test('every duplicate key, alias, unknown tag and break of the syntax is told (A67)', () => {
  const read = readDocuments(
    'a: &x 1\na: *x\n---\nb: !run 1\n---\nc: { d: 1, d: 2 }\n---\n{"e": 1, "e": 2}\n---\nf: [1\n',
  );
  expect(read.ok ? [] : read.reason.map(({ line, column }) => `${line}:${column}`)).toEqual([
    '2:1',
    '2:4',
    '4:4',
    '6:12',
    '8:10',
    '11:1',
  ]);
});

test('a list is no key', () => {
  expect(readDocuments('a: 1\n? [x]\n: 2\n')).toEqual({
    ok: false,
    reason: [{ problem: 'is no key: write a name', line: 2, column: 3 }],
  });
});

test('a megabyte of keys is no reason to wait', () => {
  const keys = Array.from({ length: 60_000 }, (_, index) => `k${index}:`).join('\n');
  expect(readDocuments(keys).ok).toBe(true);
});
