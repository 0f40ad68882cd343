import { expect, test } from 'vitest';
import { commonNameOf, subjectText } from '#certs/distinguished-name.ts';
import { commonName } from '#certs/x509.ts';
import { hex, tlv } from './tlv.ts';

const pair = (oid: string, tag: number, text: string): Buffer => tlv(0x30, tlv(0x06, hex(oid)), tlv(tag, text));

test.each([
  ['nothing', tlv(0x30), ''],
  ['a common name', commonName('prices'), 'CN=prices'],
  [
    'two parts, the last first',
    tlv(0x30, tlv(0x31, pair('55040a', 0x13, 'Shop')), tlv(0x31, pair('550403', 0x0c, 'prices'))),
    'CN=prices,O=Shop',
  ],
  ['two pairs in a part', tlv(0x30, tlv(0x31, pair('550403', 0x0c, 'a'), pair('55040b', 0x13, 'b'))), 'CN=a+OU=b'],
  ['what means something', commonName('a,b+c"d\\e<f>g;h=i'), 'CN=a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h\\=i'],
  ['blanks and a hash at the ends', commonName(' a '), 'CN=\\ a\\ '],
  ['a hash', commonName('#a'), 'CN=\\#a'],
  ['line ends and zero bytes', commonName('a\r\nb\0'), 'CN=a\\0d\\0ab\\00'],
  ['letters of all kinds', commonName('Bücher'), 'CN=Bücher'],
  ['an unknown type', tlv(0x30, tlv(0x31, pair('2a0304', 0x0c, 'a'))), '1.2.3.4=#0c0161'],
  ['an encoding of two bytes a letter', tlv(0x30, tlv(0x31, pair('550403', 0x1e, '\0a'))), 'CN=#1e020061'],
])('%s', (_, name, expected) => {
  expect(subjectText(name)).toBe(expected);
});

const cn = (text: string, tag = 0x0c): Buffer => pair('550403', tag, text);

test.each([
  ['nothing', tlv(0x30), undefined],
  ['a common name', commonName('prices'), 'prices'],
  ['one beside others', tlv(0x30, tlv(0x31, pair('55040a', 0x13, 'Shop')), tlv(0x31, cn('a, "b"'))), 'a, "b"'],
  ['two', tlv(0x30, tlv(0x31, cn('a')), tlv(0x31, cn('b'))), undefined],
  ['two in one part', tlv(0x30, tlv(0x31, cn('a'), cn('b'))), undefined],
  ['another type', tlv(0x30, tlv(0x31, pair('55040a', 0x0c, 'Shop'))), undefined],
  ['an encoding of two bytes a letter', tlv(0x30, tlv(0x31, cn('\0a', 0x1e))), undefined],
  ['letters of all kinds', commonName('Bücher'), 'Bücher'],
  ['what is no UTF-8', tlv(0x30, tlv(0x31, cn('B\u00fccher'))), undefined],
  ['one with a line end', commonName('a\nroot'), undefined],
  ['one with a zero byte', commonName('a\0b'), undefined],
])('of %s, the only common name', (_, name, expected) => {
  expect(commonNameOf(name)).toBe(expected);
});
