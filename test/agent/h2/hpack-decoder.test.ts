import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HpackDecoder, type DecoderLimits } from '#agent/h2/hpack-decoder.ts';

const limits: DecoderLimits = { tableBytes: 4_096, maxListBytes: 16_384, maxFields: 100 };

function decodeAll(blocks: readonly string[], with_: Partial<DecoderLimits> = {}): (string[] | string)[] {
  const decoder = new HpackDecoder({ ...limits, ...with_ });
  return blocks.map((hex) => {
    const outcome = decoder.decode(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
    return outcome === 'decoded' ? decoder.fields.map(({ name, value }) => `${name}: ${value}`) : outcome;
  });
}

describe('field blocks', () => {
  test('with literals and a growing table are decoded in order (RFC 7541, C.4)', () => {
    const decoded = decodeAll([
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      '828684be5886a8eb10649cbf',
      '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
    ]);
    const common = [':method: GET', ':authority: www.example.com'];
    expect(decoded).toEqual([
      [common[0], ':scheme: http', ':path: /', common[1]],
      [common[0], ':scheme: http', ':path: /', common[1], 'cache-control: no-cache'],
      [common[0], ':scheme: https', ':path: /index.html', common[1], 'custom-key: custom-value'],
    ]);
  });

  test('push old entries out of a small table (RFC 7541, C.5)', () => {
    const decoded = decodeAll([
      '3fe101 4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d',
      '4803333037c1c0bf',
      '88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31',
    ]);
    expect(decoded[1]).toEqual([
      ':status: 307',
      'cache-control: private',
      'date: Mon, 21 Oct 2013 20:13:21 GMT',
      'location: https://www.example.com',
    ]);
    expect(decoded[2]).toContain('set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1');
  });

  test('share the object of a field that stands in a table', () => {
    const decoder = new HpackDecoder(limits);
    decoder.decode(Buffer.from('4001610162', 'hex'));
    const [first] = decoder.fields;
    decoder.decode(Buffer.from('be', 'hex'));
    expect(decoder.fields[0]).toBe(first);
  });

  test.each([
    ['80', 'index 0'],
    ['be', 'an index beyond the table'],
    ['7e0161', 'a name beyond the table'],
    ['ffffffffffffffffff7f', 'an integer without end'],
    ['ff8080808008', 'an integer of more than 28 bits'],
    ['00', 'a literal without a name'],
    ['000161', 'a literal without a value'],
    ['00016105', 'a value cut short'],
    ['0001618118', 'a value with wrong padding'],
    ['823f', 'half a size update after a field'],
    ['8220', 'a size update after a field'],
    ['3fe220', 'a table larger than we allow'],
    ['202020 82', 'three size updates'],
  ])('%s is malformed: %s', (hex) => {
    expect(decodeAll([hex])).toEqual(['malformed']);
  });

  test('may change the size of the table twice at their start, and an emptied table is empty', () => {
    expect(decodeAll(['4001610162', '203fe11f', 'be'])).toEqual([['a: b'], [], 'malformed']);
  });

  test('with an entry larger than the table empty it', () => {
    const large = `40 0161 7fe107${'62'.repeat(0x7f + 0x3e1)}`;
    expect(decodeAll(['3fe100', '4001610162', large, 'be']).at(-1)).toBe('malformed');
  });

  test('longer than allowed are oversized, yet the table keeps step (A55)', () => {
    const long = `40 0161 7fe14f${'62'.repeat(0x7f + 0x27e1)}`;
    const decoded = decodeAll([`4001610163${long}`, '83'], { maxListBytes: 5_000 });
    expect(decoded).toEqual(['oversized', [':method: POST']]);
  });

  test('with more fields than allowed are oversized (A55)', () => {
    expect(decodeAll(['82'.repeat(100), '82'.repeat(101)], { maxListBytes: 65_536 }).at(-1)).toBe('oversized');
  });

  test('that blow up beyond reason are bombs, and no memory is spent on them (A53)', () => {
    const entry = `40 0161 7f81 1e${'62'.repeat(0x7f + 0xf01)}`;
    const decoder = new HpackDecoder(limits);
    const bomb = Buffer.from(entry.replaceAll(' ', '') + 'be'.repeat(60_000), 'hex');
    expect(decoder.decode(bomb)).toBe('bomb');
    expect(decoder.fields.length).toBeLessThan(10);
  });

  test('of any bytes are decoded or refused, and never throw', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (blocks) => {
        const decoder = new HpackDecoder(limits);
        for (const block of blocks) expect(decoder.decode(Buffer.from(block))).toMatch(/^[a-z]+$/);
      }),
      { numRuns: 2_000 },
    );
  });
});
