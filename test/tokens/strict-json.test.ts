import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readJsonObject, type JsonValue } from '#tokens/strict-json.ts';

const utf8 = (text: string): Buffer => Buffer.from(text);
const nested = (levels: number): string => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`;

/** As JSON.parse would give it. */
function plain(value: JsonValue): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([name, member]) => [name, plain(member)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

function parsed(bytes: Buffer): unknown {
  const value = readJsonObject(bytes);
  return value === undefined ? undefined : plain(value);
}

describe('A9, A10: refused, though some reader takes it', () => {
  test.each<[string, Buffer]>([
    ['a name twice', utf8('{"a":1,"a":1}')],
    ['a name twice, once written with an escape', utf8('{"sub":"a","s\\u0075b":"b"}')],
    ['a name twice in an inner object', utf8('{"a":{"b":1,"b":2}}')],
    ['a name twice in an object in a list', utf8('{"a":[{"b":1,"b":2}]}')],
    ['__proto__', utf8('{"__proto__":{}}')],
    ['__proto__ with an escape', utf8('{"\\u005f_proto__":{}}')],
    ['constructor', utf8('{"constructor":1}')],
    ['inner __proto__', utf8('{"a":[{"__proto__":{}}]}')],
    ['a lone high surrogate', utf8('{"a":"\\ud800"}')],
    ['a lone low surrogate', utf8('{"a":"\\udc00x"}')],
    ['surrogates in the wrong order', utf8('{"a":"\\udc00\\ud800"}')],
    ['a lone surrogate in a name', utf8('{"\\ud800":1}')],
    ['a byte order mark', utf8('\uFEFF{}')],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['an overlong encoding', Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d])],
    ['a surrogate encoded as UTF-8', Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d])],
    ['UTF-16', Buffer.from('{}', 'utf16le')],
    ['17 levels', utf8(nested(17))],
    ['20,000 levels', utf8(`{"a":${'['.repeat(20_000)}`)],
    ['1e999, which is no number', utf8('{"a":1e999}')],
    ['an integer that doubles cannot hold', utf8('{"a":9007199254740993}')],
    ['an endless number', utf8(`{"a":0.${'1'.repeat(100)}}`)],
  ])('%s', (_, bytes) => {
    expect(readJsonObject(bytes)).toBeUndefined();
  });
});

describe('refused, as the grammar says (RFC 8259)', () => {
  test.each([
    ['nothing', ''],
    ['a list', '[]'],
    ['a text', '"a"'],
    ['null', 'null'],
    ['an open object', '{"a":1'],
    ['an open text', '{"a":"b'],
    ['a comma at the end', '{"a":1,}'],
    ['a comma at the start', '{,"a":1}'],
    ['a comma in a list', '{"a":[1,]}'],
    ['no colon', '{"a" 1}'],
    ['no value', '{"a":}'],
    ['a name without quotes', '{a:1}'],
    ['single quotes', "{'a':1}"],
    ['a comment', '{"a":1/**/}'],
    ['two values', '{}{}'],
    ['a NUL at the end', '{}\0'],
    ['a control character', '{"a":"\n"}'],
    ['a control character after an escape', '{"a":"\\n\n"}'],
    ['an unknown escape', '{"a":"\\x41"}'],
    ['half an escape', '{"a":"\\u00"}'],
    ['a non-breaking blank', '{\u00a0}'],
    ['+1', '{"a":+1}'],
    ['01', '{"a":01}'],
    ['1.', '{"a":1.}'],
    ['.5', '{"a":.5}'],
    ['1e', '{"a":1e}'],
    ['-', '{"a":-}'],
    ['0x10', '{"a":0x10}'],
    ['NaN', '{"a":NaN}'],
    ['Infinity', '{"a":Infinity}'],
    ['True', '{"a":True}'],
    ['tru', '{"a":tru}'],
  ])('%s', (_, text) => {
    expect(readJsonObject(utf8(text))).toBeUndefined();
    expect(() => JSON.parse(text) as unknown).toSatisfy((parse: () => unknown) => {
      try {
        const value = parse();
        return typeof value !== 'object' || value === null || Array.isArray(value);
      } catch {
        return true;
      }
    });
  });
});

describe('accepted', () => {
  test.each([
    ['{}', {}],
    [' {\t"a"\r:\n1 } ', { a: 1 }],
    ['{"a":[1,-0.5e+2,true,false,null,"",{}],"b":{"a":1}}', { a: [1, -50, true, false, null, '', {}], b: { a: 1 } }],
    ['{"":0}', { '': 0 }],
    ['{"a":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00é😀\\u0000"}', { a: '"\\/\b\f\n\r\té😀é😀\0' }],
    ['{"toString":1,"hasOwnProperty":2}', { toString: 1, hasOwnProperty: 2 }],
    ['{"a":9007199254740991,"b":-9007199254740991}', { a: 9007199254740991, b: -9007199254740991 }],
  ])('%s', (text, value) => {
    expect(parsed(utf8(text))).toEqual(value);
  });

  test('16 levels', () => {
    expect(parsed(utf8(nested(16)))).toEqual(JSON.parse(nested(16)));
  });
});

describe('laws', () => {
  const anyObject = fc.dictionary(
    fc.string({ unit: 'grapheme' }),
    fc.jsonValue({ maxDepth: 4, stringUnit: 'grapheme' }),
  );

  test('what JSON.stringify writes is read as JSON.parse reads it, or loses a number or a name', () => {
    let accepted = 0;
    fc.assert(
      fc.property(anyObject, fc.constantFrom(undefined, 1), (object, indent) => {
        const text = JSON.stringify(object, undefined, indent);
        const value = parsed(utf8(text));
        if (value === undefined) {
          expect(text).toMatch(/"__proto__"|"constructor"|\\ud[89a-f]|\d{16}/);
          return;
        }
        accepted += 1;
        expect(value).toEqual(JSON.parse(text));
      }),
      { numRuns: 2_000 },
    );
    expect(accepted).toBeGreaterThan(1_000);
  });

  test('whatever bytes are accepted, JSON.parse accepts as the same', () => {
    let accepted = 0;
    const mutated = fc
      .tuple(anyObject, fc.nat(), fc.constantFrom(...' "\\{}[],:0123456789.eE+-utrfn\u0001é\uFEFF'), fc.boolean())
      .map(([object, at, character, replaces]) => {
        const text = JSON.stringify(object);
        const place = at % (text.length + 1);
        return text.slice(0, place) + character + text.slice(place + (replaces ? 1 : 0));
      });
    fc.assert(
      fc.property(mutated, (text) => {
        const bytes = utf8(text);
        const value = parsed(bytes);
        if (value === undefined) return;
        accepted += 1;
        expect(value).toEqual(JSON.parse(bytes.toString()));
      }),
      { numRuns: 5_000 },
    );
    expect(accepted).toBeGreaterThan(500);
  });
});
