import { describe, expect, test } from 'vitest';
import { readExtensions } from '#certs/extensions.ts';
import { MalformedDer } from '#certs/der.ts';
import { oids } from '#certs/oids.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import { extension, primitive } from '#certs/x509.ts';
import { createTestCa, type CertificateRecipe } from '#support/test-ca.ts';
import { nowMs, prices } from './authority.ts';
import { hex, tlv } from './tlv.ts';

describe('an extension whose content is not what its name says makes the certificate malformed', () => {
  const one = (oid: string, value: Buffer, critical = ''): Buffer =>
    tlv(0x30, tlv(0x30, tlv(0x06, hex(oid)), hex(critical), tlv(0x04, value)));
  test.each<[string, Buffer]>([
    ['no extension in the list', tlv(0x30)],
    ['critical FALSE written out', one('551d13', tlv(0x30), '010100')],
    ['critical in another spelling of TRUE', one('551d13', tlv(0x30), '010101')],
    ['CA:FALSE written out', one('551d13', tlv(0x30, hex('010100')))],
    ['a path length without CA', one('551d13', tlv(0x30, hex('020101')))],
    ['a negative path length', one('551d13', tlv(0x30, hex('0101ff0201ff')))],
    ['something after the path length', one('551d13', tlv(0x30, hex('0101ff0201000500')))],
    ['something after basic constraints', one('551d13', Buffer.concat([tlv(0x30), tlv(0x30)]))],
    ['key usage without bits', one('551d0f', hex('030100'))],
    ['key usage with nine unused bits', one('551d0f', hex('03020980'))],
    ['key usage as an octet string', one('551d0f', hex('04020780'))],
    ['no purpose', one('551d25', tlv(0x30))],
    ['a purpose that is no OID', one('551d25', tlv(0x30, hex('0500')))],
    ['no name', one('551d11', tlv(0x30))],
    ['a name cut short', one('551d11', hex('30038605 61'))],
    [
      'a name constraint with a distance',
      one('551d1e', tlv(0x30, tlv(0xa0, tlv(0x30, tlv(0x86, 'a'), hex('800101'))))),
    ],
    ['a name constraint of a third kind', one('551d1e', tlv(0x30, tlv(0xa2)))],
  ])('%s', (_, list) => {
    expect(() => readExtensions(list)).toThrow(MalformedDer);
  });
});

describe('A43: name constraints', () => {
  const permitted = (...bases: readonly Buffer[]): Buffer => tlv(0xa0, ...bases.map((base) => tlv(0x30, base)));
  const excluded = (...bases: readonly Buffer[]): Buffer => tlv(0xa1, ...bases.map((base) => tlv(0x30, base)));
  const uri = (host: string): Buffer => tlv(0x86, host);
  const dns = (name: string): Buffer => tlv(0x82, name);
  const ip = tlv(0x87, hex('0a000000ff000000'));
  const directory = tlv(0xa4, tlv(0x30));

  const withDns: CertificateRecipe = {
    names: [
      { kind: 'uri', text: prices },
      { kind: 'dns', text: 'Prices.Shop.Example' },
    ],
  };
  const withIp: CertificateRecipe = {
    names: [
      { kind: 'uri', text: prices },
      { kind: 'ip', text: '\x0a\0\0\x01' },
    ],
  };
  const withSubject: CertificateRecipe = { subject: 'prices' };

  test.each<[string, CertificateRecipe, Buffer[], string]>([
    ['one of several hosts', {}, [permitted(uri('bank.example'), uri('SHOP.example'))], 'accepted'],
    ['a host that ends alike', {}, [permitted(uri('hop.example'))], 'name-constraint'],
    ['our host excluded', {}, [excluded(uri('shop.example'))], 'name-constraint'],
    ['another host excluded', {}, [excluded(uri('bank.example'))], 'accepted'],
    ['permitted and excluded', {}, [permitted(uri('.example')), excluded(uri('shop.example'))], 'name-constraint'],
    ['DNS permitted, none in the leaf', {}, [permitted(dns('bank.example'))], 'accepted'],
    ['DNS inside', withDns, [permitted(dns('shop.example'))], 'accepted'],
    ['DNS outside', withDns, [permitted(dns('op.example'))], 'name-constraint'],
    ['DNS excluded', withDns, [excluded(dns('example'))], 'name-constraint'],
    ['all DNS excluded', withDns, [excluded(dns(''))], 'name-constraint'],
    ['an IP range, no address in the leaf', {}, [permitted(ip)], 'accepted'],
    ['an IP range that we do not compare', withIp, [permitted(ip)], 'name-constraint'],
    ['an excluded IP range that we do not compare', withIp, [excluded(ip)], 'name-constraint'],
    ['a directory name, no subject in the leaf', {}, [permitted(directory)], 'accepted'],
    ['a directory name that we do not compare', withSubject, [permitted(directory)], 'name-constraint'],
  ])('%s', (_, recipe, lists, expected) => {
    const value = primitive(0x30, Buffer.concat(lists).toString('latin1'));
    const constraints = extension(oids.nameConstraints, 'critical', value);
    const ca = createTestCa({ nowMs, root: { extensions: [constraints] } });
    const verified = verifySvid(ca.leaf('prices', recipe).chainDer, { bundle: ca.bundle, nowMs });
    expect(verified.ok ? 'accepted' : verified.reason).toBe(expected);
  });
});
