import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeHuffman, decodedBytesAtMost } from '#agent/h2/hpack-huffman.ts';

function decode(hex: string): string | number {
  const bytes = Buffer.from(hex, 'hex');
  const out = Buffer.alloc(decodedBytesAtMost(bytes.length));
  const length = decodeHuffman(bytes, 0, bytes.length, out);
  return length < 0 ? length : out.toString('latin1', 0, length);
}

/** All octets from 0 to 255, as another implementation codes them. */
const allOctets = [
  'ffc7fffd8fffffe2fffffe3fffffe4fffffe5fffffe6fffffe7fffffe8ffffeafffffff3fffffa7fffffabffffffdfffffebfffffecfff',
  'ffedfffffeefffffefffffff0ffffff1ffffff2fffffffbfffffcffffffd3fffffd7fffffdbfffffdffffffe3fffffe7fffffebfffffed',
  '4fe3f9ffaffcabf1febfafefe7fdfd2cbb00089969b71d79fb9f7fff20ffbff3ff50ddbd7f061c58f265cd9f469d5af66dddbf871e5f9c',
  'ff7ff7fffc3ff9ffe45fff4719242cb34e6e9d68a6a3d7dac426defe3cfaf7fffbfe7ffbffdffffffcfffe6ffff4bfff9ffffa3fffd3ff',
  'ff53fffd5ffffb3fffeb7fffdaffffb7ffff73fffeeffffdeffffebffffbfffffd9ffffdbfffebffffe0ffffeeffffc3ffff8bffff1fff',
  'fe4fffee7fffb1ffff97fffd9ffffcdffff9fffffbffffdafffeeffff4ffffb7fffee7fffe8ffffd3fffdeffffd5fffeeffffbdffffe1f',
  'ffdfffff7fffff5ffffecffff07fff87fffe0ffff17fffedffff87ffff77fffeffffeaffff8bfffe3ffff93ffff87fffcbffff37ffff1f',
  'ffff83ffffe1fffebfffe3ffff3fffff2ffffa3ffffd9fffff17ffffc7fffff27ffffdefffffbffffff2fffff8fffffb7fff97fff8ffff',
  'fe6fffffc1fffff87ffffe7fffffc5ffffe5fffe4ffff2fffffd1fffff4ffffffefffffe3fffffc9fffff97fffb3ffffcffffb7fffcdff',
  'ff4ffff9ffffd1ffffcffffeaffffafffffddffffeffffff4fffff5fffffabffffa7ffffd7fffff9bffffecfffffb7fffff3fffffe8fff',
  'ffd3fffffabfffff5fffffff7ffffecfffffdbfffffbbfffff7ffffff0fffffbbf',
].join('');

describe('a Huffman-coded string', () => {
  test.each([
    // RFC 7541, appendix C
    ['f1e3c2e5f23a6ba0ab90f4ff', 'www.example.com'],
    ['a8eb10649cbf', 'no-cache'],
    ['25a849e95ba97d7f', 'custom-key'],
    ['25a849e95bb8e8b4bf', 'custom-value'],
    ['aec3771a4b', 'private'],
    ['d07abe941054d444a8200595040b8166e082a62d1bff', 'Mon, 21 Oct 2013 20:13:21 GMT'],
    ['9d29ad171863c78f0b97c8e9ae82ae43d3', 'https://www.example.com'],
    [
      '94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
      'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
    ],
    ['', ''],
    // 'a' is 00011
    ['1f', 'a'],
  ])('%s is %s', (hex, text) => {
    expect(decode(hex)).toBe(text);
  });

  test.each([
    ['18', 'padding of zeros'],
    ['1fff', 'more than seven bits of padding'],
    ['ff', 'eight bits of padding and nothing else'],
    ['ffffffff', 'the end-of-string symbol'],
    ['fffffffc', 'the start of the end-of-string symbol, then other bits'],
    ['1fffffffff', 'the end-of-string symbol after a letter'],
  ])('%s is refused: %s', (hex) => {
    expect(decode(hex)).toBe(-1);
  });

  test('may hold any octet', () => {
    expect(decode(allOctets)).toBe(Buffer.from(Array.from({ length: 256 }, (_, octet) => octet)).toString('latin1'));
  });

  test('never decodes to more than was said, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const out = Buffer.alloc(decodedBytesAtMost(bytes.length));
        expect(decodeHuffman(Buffer.from(bytes), 0, bytes.length, out)).toBeLessThanOrEqual(out.length);
      }),
    );
  });
});
