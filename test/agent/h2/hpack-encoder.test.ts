import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HpackDecoder } from '#agent/h2/hpack-decoder.ts';
import { HpackEncoder } from '#agent/h2/hpack-encoder.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import { h2Fields } from '#support/h2-raw.ts';

const limits = { tableBytes: 65_536, maxListBytes: 1_000_000, maxFields: 1_000 };

function encode(encoder: HpackEncoder, fields: readonly HeaderField[]): Buffer {
  const into = Buffer.alloc(encoder.bytesAtMost(fields));
  return into.subarray(0, encoder.encode(fields, into, 0));
}

const grpcHead = h2Fields({
  ':method': 'POST',
  ':scheme': 'http',
  ':path': '/shop.Cart/Add',
  ':authority': 'cart:8080',
  'content-type': 'application/grpc',
  te: 'trailers',
  'user-agent': 'grpc-go/1.60',
  'grpc-timeout': '1S',
});

describe('an encoder', () => {
  test('writes a head that repeats in one byte per field', () => {
    const encoder = new HpackEncoder();
    encode(encoder, grpcHead);
    encode(encoder, grpcHead);
    expect(encode(encoder, grpcHead).length).toBe(grpcHead.length);
  });

  test('does not let values that never repeat push out those that do', () => {
    const encoder = new HpackEncoder();
    const withId = (id: number): HeaderField[] => [...grpcHead, ...h2Fields({ 'x-request-id': `id-${id}` })];
    for (let id = 0; id < 1_000; id += 1) encode(encoder, withId(id));
    const idBytes = 'id-1000'.length + 3; // its name by an index of two bytes, its value with its length
    expect(encode(encoder, withId(1_000)).length).toBeLessThanOrEqual(grpcHead.length + idBytes);
  });

  test.each(['authorization', 'cookie', 'set-cookie', 'proxy-authorization', 'workload-identity-token'])(
    'never puts %s into a table, and says so to whoever passes it on',
    (name) => {
      const encoder = new HpackEncoder();
      const fields = h2Fields({ [name]: 'secret' });
      encode(encoder, fields);
      const [first] = encode(encoder, fields);
      expect(first! & 0xf0).toBe(0x10);
      expect(encode(encoder, fields).includes('secret')).toBe(true);
    },
  );

  test('keeps a field out of its tables that came marked as never to be indexed', () => {
    const decoder = new HpackDecoder(limits);
    decoder.decode(Buffer.from('10 0178 0179'.replaceAll(' ', ''), 'hex'));
    const encoder = new HpackEncoder();
    for (let times = 0; times < 3; times += 1) {
      expect(encode(encoder, decoder.fields).toString('hex')).toBe('1001780179');
    }
  });

  test('does not index what a peer without a table could not keep', () => {
    const encoder = new HpackEncoder();
    encoder.limitTable(0);
    const decoder = new HpackDecoder(limits);
    for (let times = 0; times < 3; times += 1) {
      const block = encode(encoder, grpcHead);
      expect(decoder.decode(block)).toBe('decoded');
      expect(decoder.fields).toEqual(grpcHead);
    }
    expect(encode(encoder, grpcHead).length).toBeGreaterThan(60);
  });

  test('tells the smallest and the last size of the table that the peer asked for in between', () => {
    const encoder = new HpackEncoder();
    encoder.limitTable(100);
    encoder.limitTable(2_000);
    const block = encode(encoder, h2Fields({ ':method': 'GET' }));
    expect(block.toString('hex')).toBe('3f45' + '3fb10f' + '82');
  });

  test('is understood by a decoder, whatever the fields and however the table changes', () => {
    const name = fc.constantFrom('a', 'b-c', ':path', ':status', 'x-id', 'cookie', 'content-type', 'n'.repeat(300));
    const value = fc.oneof(
      fc.constantFrom('', '/', '200', 'v', 'application/grpc', 'w'.repeat(600)),
      fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)), maxLength: 40 }),
    );
    const block = fc.record({
      fields: fc.array(fc.tuple(name, value), { maxLength: 30 }),
      tableBytes: fc.option(fc.constantFrom(0, 64, 300, 4_096, 16_384)),
    });
    fc.assert(
      fc.property(fc.array(block, { maxLength: 20 }), (blocks) => {
        const encoder = new HpackEncoder();
        const decoder = new HpackDecoder(limits);
        for (const { fields, tableBytes } of blocks) {
          if (tableBytes !== null) encoder.limitTable(tableBytes);
          const list = h2Fields(fields);
          expect(decoder.decode(encode(encoder, list))).toBe('decoded');
          expect(decoder.fields).toEqual(list);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('forgets names before they are too many, and is still understood', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder(limits);
    for (let round = 0; round < 400; round += 1) {
      const list = h2Fields({ [`x-${round % 150}`]: `v${round % 7}`, te: 'trailers' });
      expect(decoder.decode(encode(encoder, list))).toBe('decoded');
      expect(decoder.fields).toEqual(list);
    }
  });
});
