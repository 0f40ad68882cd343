import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MalformedDer, oidText, readDer, readSequence, unsignedHex } from '#certs/der.ts';
import { hex, tlv } from './tlv.ts';

describe('readDer takes definite, shortest lengths only', () => {
  test.each([
    ['nothing', ''],
    ['a tag alone', '30'],
    ['an indefinite length', '3080 0000'],
    ['a length of one byte in the long form', '308101 00'],
    ['a length with a leading zero', `30820081 ${'00'.repeat(129)}`],
    ['a length of four bytes', '3084 00000001 00'],
    ['a length beyond the end', '3002 00'],
    ['a length of 127 bytes', `30ff ${'ff'.repeat(127)}`],
    ['a byte too many', '3000 00'],
    ['a tag number above 30', '3f01 00'],
    ['another tag', '3100'],
  ])('%s is refused', (_, text) => {
    expect(() => readDer(hex(text), 0x30)).toThrow(MalformedDer);
  });

  test('items of any size are read back as they were written', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), (contents) => {
        const items = readSequence(tlv(0x30, ...contents.map((content) => tlv(0x04, content))));
        expect(items.map((item) => [...item.content])).toEqual(contents.map((content) => [...content]));
      }),
    );
  });
});

describe('oidText', () => {
  test.each([
    ['551d11', '2.5.29.17'],
    ['2a8648ce3d030107', '1.2.840.10045.3.1.7'],
    ['883703', '2.999.3'],
    ['00', '0.0'],
    ['69ffffffffffffffffff7f', '#69ffffffffffffffffff7f'],
  ])('%s is %s', (content, expected) => {
    expect(oidText(hex(content))).toBe(expected);
  });

  test.each([[''], ['5580'], ['558011'], ['80'], ['2a86']])('%j is refused', (content) => {
    expect(() => oidText(hex(content))).toThrow(MalformedDer);
  });
});

describe('unsignedHex', () => {
  test.each([
    ['00', '00'],
    ['01', '01'],
    ['0080', '80'],
    ['7fff', '7fff'],
  ])('%s is %s', (content, expected) => {
    expect(unsignedHex(hex(content))).toBe(expected);
  });

  test.each([
    ['', 'empty'],
    ['80', 'negative'],
    ['0001', 'not the shortest form'],
    ['0000', 'not the shortest form'],
  ])('%j is refused: %s', (content) => {
    expect(() => unsignedHex(hex(content))).toThrow(MalformedDer);
  });
});
