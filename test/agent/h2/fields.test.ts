import { describe, expect, test } from 'vitest';
import { contentLengthOf, requestProblem, responseProblem, trailersProblem } from '#agent/h2/fields.ts';
import { HpackDecoder } from '#agent/h2/hpack-decoder.ts';
import { h2Fields, plainBlock } from '#support/h2-raw.ts';

type Rows = readonly (readonly [string, string])[];

function section(rows: Rows): HpackDecoder {
  const decoder = new HpackDecoder({ tableBytes: 4_096, maxListBytes: 65_536, maxFields: 100 });
  expect(decoder.decode(plainBlock(h2Fields(rows)))).toBe('decoded');
  return decoder;
}

const get: Rows = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'cart:8080'],
  [':path', '/a?b=%20'],
];
const without = (name: string): Rows => get.filter(([field]) => field !== name);
const changed = (name: string, value: string): Rows => get.map((row) => (row[0] === name ? [name, value] : row));

describe('a request (A52)', () => {
  test.each<[Rows, string]>([
    [get, 'fine'],
    [without(':authority'), 'fine'],
    [[...get, ['x', 'a\tb "ü"']], 'fine'],
    [[...get, ['te', 'trailers']], 'fine'],
    [[...get, ['content-length', '0']], 'fine'],
    [[...get, ['x', '']], 'fine'],
    [[...changed(':method', 'OPTIONS').slice(0, 3), [':path', '*']], 'fine'],
    [without(':method'), 'missing-pseudo-header'],
    [without(':scheme'), 'missing-pseudo-header'],
    [without(':path'), 'missing-pseudo-header'],
    [[], 'missing-pseudo-header'],
    [[...get, [':path', '/']], 'duplicate-pseudo-header'],
    [[[':method', 'GET'], ...get], 'duplicate-pseudo-header'],
    [[...get, [':status', '200']], 'unexpected-pseudo-header'],
    [[...get, [':protocol', 'websocket']], 'bad-field-name'],
    [[...get, [':', 'x']], 'bad-field-name'],
    [[...without(':path'), ['x', 'y'], [':path', '/']], 'late-pseudo-header'],
    [[...get, ['X-Upper', 'y']], 'bad-field-name'],
    [[...get, ['', 'y']], 'bad-field-name'],
    [[...get, ['a b', 'y']], 'bad-field-name'],
    [[...get, ['a:b', 'y']], 'bad-field-name'],
    [[...get, ['a\r\nb', 'y']], 'bad-field-name'],
    [[...get, ['a\0', 'y']], 'bad-field-name'],
    [[...get, ['ä', 'y']], 'bad-field-name'],
    [[...get, ['content_length', '5']], 'bad-field-name'],
    [[...get, ['transfer.encoding', 'chunked']], 'bad-field-name'],
    [[...get, ['x', 'a\r\nb: c']], 'bad-field-value'],
    [[...get, ['x', 'a\nb']], 'bad-field-value'],
    [[...get, ['x', 'a\rb']], 'bad-field-value'],
    [[...get, ['x', 'a\0b']], 'bad-field-value'],
    [[...get, ['x', 'a\x7f']], 'bad-field-value'],
    [[...get, ['x', ' a']], 'bad-field-value'],
    [[...get, ['x', 'a\t']], 'bad-field-value'],
    [changed(':path', ''), 'bad-field-value'],
    [changed(':path', 'a'), 'bad-field-value'],
    [changed(':path', '/a b'), 'bad-field-value'],
    [changed(':path', '/a\r\nx: y'), 'bad-field-value'],
    [changed(':path', '/a#b'), 'bad-field-value'],
    [changed(':path', '/ä'), 'bad-field-value'],
    [changed(':path', '*'), 'bad-path'],
    [changed(':method', ''), 'bad-field-value'],
    [changed(':method', 'GET /'), 'bad-field-value'],
    [changed(':scheme', 'ht tp'), 'bad-field-value'],
    [changed(':scheme', ''), 'bad-field-value'],
    [changed(':authority', ''), 'bad-field-value'],
    [changed(':authority', 'user@cart'), 'bad-field-value'],
    [changed(':authority', 'cart/x'), 'bad-field-value'],
    [changed(':authority', 'cart x'), 'bad-field-value'],
    [[...get, ['connection', 'close']], 'connection-specific-field'],
    [[...get, ['keep-alive', '1']], 'connection-specific-field'],
    [[...get, ['proxy-connection', 'close']], 'connection-specific-field'],
    [[...get, ['transfer-encoding', 'chunked']], 'connection-specific-field'],
    [[...get, ['upgrade', 'h2c']], 'connection-specific-field'],
    [[...get, ['te', 'gzip']], 'connection-specific-field'],
    [[...get, ['te', 'trailers, gzip']], 'connection-specific-field'],
    [[...get, ['content-length', '5'], ['content-length', '5']], 'duplicate-content-length'],
    [[...get, ['content-length', '5, 5']], 'bad-field-value'],
    [[...get, ['content-length', '+5']], 'bad-field-value'],
    [[...get, ['content-length', '']], 'bad-field-value'],
    [[...get, ['content-length', '9223372036854775807']], 'bad-field-value'],
  ])('%j is %s', (rows, expected) => {
    expect(requestProblem(section(rows), 'allow') ?? 'fine').toBe(expected);
  });

  test('says its length', () => {
    expect(contentLengthOf(section([...get, ['content-length', '12']]))).toBe(12);
    expect(contentLengthOf(section(get))).toBe(-1);
  });
});

describe('a CONNECT request (RFC 9113, section 8.5)', () => {
  const connect: Rows = [
    [':method', 'CONNECT'],
    [':authority', 'cart:8080'],
  ];

  test.each<[Rows, string]>([
    [connect, 'fine'],
    [[[':method', 'CONNECT']], 'missing-pseudo-header'],
    [[...connect, [':scheme', 'http']], 'unexpected-pseudo-header'],
    [[...connect, [':path', '/']], 'unexpected-pseudo-header'],
  ])('%j is %s', (rows, expected) => {
    expect(requestProblem(section(rows), 'allow') ?? 'fine').toBe(expected);
  });

  test('is refused where there are no tunnels', () => {
    expect(requestProblem(section(connect), 'refuse')).toBe('connect-refused');
  });
});

describe('a response', () => {
  test.each<[Rows, string]>([
    [[[':status', '200']], 'fine'],
    [[[':status', '103']], 'fine'],
    [[[':status', '101']], 'bad-field-value'],
    [[[':status', '1000']], 'bad-field-value'],
    [[[':status', '600']], 'bad-field-value'],
    [[[':status', '20']], 'bad-field-value'],
    [[[':status', '']], 'bad-field-value'],
    [[['x', 'y']], 'missing-pseudo-header'],
    [
      [
        [':status', '200'],
        [':status', '200'],
      ],
      'duplicate-pseudo-header',
    ],
    [
      [
        [':status', '200'],
        [':path', '/'],
      ],
      'unexpected-pseudo-header',
    ],
    [
      [
        [':status', '200'],
        ['connection', 'close'],
      ],
      'connection-specific-field',
    ],
  ])('%j is %s (A79)', (rows, expected) => {
    expect(responseProblem(section(rows)) ?? 'fine').toBe(expected);
  });
});

describe('trailers', () => {
  test.each<[Rows, string]>([
    [[['grpc-status', '0']], 'fine'],
    [[], 'fine'],
    [[[':path', '/']], 'unexpected-pseudo-header'],
    [[[':status', '200']], 'unexpected-pseudo-header'],
    [[['upgrade', 'x']], 'connection-specific-field'],
    [[['X', 'y']], 'bad-field-name'],
  ])('%j are %s', (rows, expected) => {
    expect(trailersProblem(section(rows)) ?? 'fine').toBe(expected);
  });
});
