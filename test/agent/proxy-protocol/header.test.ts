import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c } from '#agent/proxy-protocol/crc32c.ts';
import { proxyHeader, type ProxiedConnection } from '#agent/proxy-protocol/header.ts';
import { ipBytes } from '#agent/proxy-protocol/ip-bytes.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import { readProxyHeader, slowCrc32c } from '#support/proxy-header-reader.ts';

const spiffeId = 'spiffe://shop.example/ns/default/sa/cart' as SpiffeId;
const connection: ProxiedConnection = {
  source: { host: '192.0.2.7', port: 40_000 },
  destination: { host: '198.51.100.1', port: 15_008 },
  spiffeIdTlv: 0xe0,
  proved: { spiffeId, tlsVersion: 'TLSv1.3', commonName: undefined },
};
/** The same of a caller whose certificate has that name. */
const named = (commonName: string | undefined, id = spiffeId): ProxiedConnection => ({
  ...connection,
  proved: { spiffeId: id, tlsVersion: 'TLSv1.3', commonName },
});

describe('the header', () => {
  test('is these bytes', () => {
    const id = Buffer.from(spiffeId).toString('hex');
    const sum = proxyHeader(connection).subarray(-4).toString('hex');
    const parts = [
      ['0d0a0d0a000d0a515549540a', '21', '11', '0050'], // signature, version and command, TCP4, 80 bytes follow
      ['c0000207', 'c6336401', '9c40', '3aa0'],
      ['20', '000f', '07', '00000000', '21', '0007', '544c5376312e33'],
      ['e0', '0028', id],
      ['03', '0004', sum],
    ];
    expect(proxyHeader(connection).toString('hex')).toBe(parts.flat().join(''));
  });

  const ipv6 = ['fe80:0000:0000:0000:0000:0000:0001:0002 40000', '2001:0db8:0000:0000:0000:0000:0000:0000 15008'];
  const half = ['0000:0000:0000:0000:0000:0000:0000:0001 40000', '0000:0000:0000:0000:0000:ffff:7f00:0001 15008'];
  test.each([
    ['IPv4', ['192.0.2.7', '198.51.100.1'], 'TCP4', ['192.0.2.7 40000', '198.51.100.1 15008']],
    ['mapped IPv4', ['::ffff:192.0.2.7', '::ffff:198.51.100.1'], 'TCP4', ['192.0.2.7 40000', '198.51.100.1 15008']],
    ['IPv6, of a zone too', ['fe80::1:2%eth0', '2001:db8::'], 'TCP6', ipv6],
    ['both, which no socket has: nothing is lost', ['::1', '::ffff:127.0.0.1'], 'TCP6', half],
  ])('tells the ends of a connection over %s', (_name, [from = '', to = ''], family, [source, destination]) => {
    const ends = { source: { host: from, port: 40_000 }, destination: { host: to, port: 15_008 } };
    expect(readProxyHeader(proxyHeader({ ...connection, ...ends }))).toMatchObject({ family, source, destination });
  });

  test('says that the caller showed a certificate on this connection, and that it was verified', () => {
    const { ssl } = readProxyHeader(proxyHeader(named('Bücher')));
    expect([ssl?.client, ssl?.verify]).toEqual([0x07, 0]);
    expect([...(ssl?.tlvs ?? [])].map(([type, value]) => [type, value.toString()])).toEqual([
      [0x21, 'TLSv1.3'],
      [0x22, 'Bücher'],
    ]);
  });

  test.each([
    ['none', undefined, false],
    ['one of 256 bytes', 'ü'.repeat(128), true],
    ['a longer one', `${'ü'.repeat(128)}a`, false],
  ])('has the common name of a certificate with %s: only if it fits', (_name, commonName, isThere) => {
    const { ssl } = readProxyHeader(proxyHeader(named(commonName)));
    expect(ssl?.tlvs.has(0x22)).toBe(isThere);
  });

  test('of a caller that proved nothing has the ends of the connection, and nobody’s name', () => {
    const { tlvs, ssl, source } = readProxyHeader(proxyHeader({ ...connection, proved: undefined }));
    expect([[...tlvs.keys()], ssl, source]).toEqual([[0x03], undefined, '192.0.2.7 40000']);
  });

  test('is of bounded size, whatever the names are', () => {
    const largest = proxyHeader({
      ...named('x'.repeat(256), `spiffe://a/${'x'.repeat(2_037)}` as SpiffeId),
      source: { host: '2001:db8::1', port: 65_535 },
    });
    expect(largest.length).toBeLessThanOrEqual(2_420);
    expect(readProxyHeader(largest).tlvs.get(0xe0)?.length).toBe(2_048);
  });

  test('says to an independent reader what was written, for all addresses, names and types', () => {
    const end = fc.record({ host: fc.oneof(fc.ipV4(), fc.ipV6()), port: fc.integer({ min: 1, max: 65_535 }) });
    const name = fc.option(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), { nil: undefined });
    const id = fc.stringMatching(/^spiffe:\/\/[a-z]{1,9}\/[a-zA-Z0-9/]{1,300}$/);
    const type = fc.integer({ min: 0xe0, max: 0xef });
    fc.assert(
      fc.property(
        fc.record({ source: end, destination: end, commonName: name, text: id, spiffeIdTlv: type }),
        (made) => {
          const { source, destination, commonName, text, spiffeIdTlv } = made;
          const header = proxyHeader({
            ...{ ...named(commonName, text as SpiffeId), source, destination, spiffeIdTlv },
          });
          const read = readProxyHeader(Buffer.concat([header, Buffer.from('rest')]));
          expect(read.rest.toString()).toBe('rest');
          expect([...read.tlvs.keys()]).toEqual([0x20, spiffeIdTlv, 0x03]);
          expect(read.tlvs.get(spiffeIdTlv)?.toString()).toBe(text);
          expect(read.ssl?.tlvs.get(0x22)?.toString()).toBe(commonName);
          expect([read.source, read.destination].map((told) => Number(told.split(' ')[1]))).toEqual([
            source.port,
            destination.port,
          ]);
        },
      ),
    );
  });
});

test.each([
  ['', 0],
  ['123456789', 0xe3069283],
  ['\0'.repeat(32), 0x8a9136aa], // RFC 3720, B.4
  ['\u00ff'.repeat(32), 0x62a8ab43],
])('CRC32c of %j', (text, sum) => {
  const bytes = Buffer.from(text, 'latin1');
  expect([crc32c(bytes), slowCrc32c(bytes)]).toEqual([sum, sum]);
});

test.each([
  ['0.0.0.0', '00000000'],
  ['255.1.2.3', 'ff010203'],
  ['::', '00'.repeat(16)],
  ['::1', `${'00'.repeat(15)}01`],
  ['1::', `0001${'00'.repeat(14)}`],
  ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ['1::7:8', '00010000000000000000000000070008'],
  ['64:ff9b::192.0.2.1', '0064ff9b0000000000000000c0000201'],
  ['::ffff:c000:201', 'c0000201'],
  ['::ffff:192.0.2.1', 'c0000201'],
  ['fe80::1%lo', 'fe80000000000000000000000000' + '0001'],
])('the bytes of %s', (text, hex) => {
  expect(ipBytes(text).toString('hex')).toBe(hex);
});
