import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildCsr, maxCsrBytes, readCsr } from '#certs/csr.ts';
import { issueSvid } from '#certs/issue-svid.ts';
import { checkIssued } from '#certs/check-issued.ts';
import { readCertificate } from '#certs/certificate.ts';
import { exportSpki, generateKeyPair, keyThumbprint, type KeyPair } from '#certs/keys.ts';
import { makeKeys, makeWeakKeys } from '#support/test-ca.ts';
import { createAuthority, nowMs, orderFor } from './authority.ts';
import { hex, tlv } from './tlv.ts';

const ecdsaWithSha256 = tlv(0x30, hex('06082a8648ce3d040302'));

/** A request with any subject and attributes, properly signed. */
function request(keys: KeyPair, attributes: readonly Buffer[] = [], subject = tlv(0x30)): Buffer {
  const info = tlv(0x30, hex('020100'), subject, exportSpki(keys.publicKey), tlv(0xa0, ...attributes));
  return tlv(0x30, info, ecdsaWithSha256, tlv(0x03, '\0', sign('sha256', info, keys.privateKey)));
}

/** The extensionRequest attribute (RFC 2985, section 5.4.2). */
function asking(...extensions: readonly Buffer[]): Buffer {
  return tlv(0x30, hex('06092a864886f70d01090e'), tlv(0x31, tlv(0x30, ...extensions)));
}

const extension = (oid: string, value: Buffer): Buffer =>
  tlv(0x30, tlv(0x06, hex(oid)), hex('0101ff'), tlv(0x04, value));
const names = (...list: readonly Buffer[]): Buffer => extension('551d11', tlv(0x30, ...list));

function read(der: Uint8Array): string {
  const csr = readCsr(der);
  return csr.ok ? 'accepted' : csr.reason;
}

test('a request of ours is read back as its key, and holds nothing else', async () => {
  const keys = await generateKeyPair();
  const csr = readCsr(buildCsr(keys));
  const spkiDer = exportSpki(keys.publicKey);
  expect(csr).toEqual({ ok: true, value: { spkiDer, keyThumbprint: keyThumbprint(spkiDer) } });
});

describe('A41: whatever a request asks for beside its key changes nothing in the certificate', () => {
  test.each([
    ['CA:TRUE', [asking(extension('551d13', tlv(0x30, hex('0101ff'))))]],
    ['keyCertSign', [asking(extension('551d0f', hex('03020104')))]],
    ['another SPIFFE ID', [asking(names(tlv(0x86, 'spiffe://shop.example/ns/default/sa/admin')))]],
    ['a further DNS name', [asking(names(tlv(0x82, 'admin.shop.example')))]],
    ['a wildcard', [asking(names(tlv(0x82, '*.shop.example')))]],
    ['an IP address', [asking(names(tlv(0x87, hex('7f000001'))))]],
    ['two URIs', [asking(names(tlv(0x86, 'spiffe://a/b'), tlv(0x86, 'spiffe://c/d')))]],
    ['rubbish for attributes', [hex('0500')]],
  ])('%s', async (_, attributes) => {
    const { issuer } = await createAuthority();
    const keys = makeKeys();
    const subject = tlv(0x30, tlv(0x31, tlv(0x30, hex('0603550403'), tlv(0x0c, 'spiffe://shop.example/admin'))));
    const csr = readCsr(request(keys, attributes, subject));
    if (!csr.ok) throw new Error(csr.reason);
    const order = orderFor(keys, { spkiDer: csr.value.spkiDer });
    const leafDer = await issueSvid(order, issuer);
    expect(checkIssued(leafDer, { ...order, issuer: issuer.certificateDer })).toMatchObject({
      ok: true,
      value: { spiffeId: order.spiffeId, subject: '', notAfterMs: Math.ceil((nowMs + order.lifeMs) / 1000) * 1000 },
    });
    const leaf = readCertificate(leafDer);
    if (!leaf.ok) throw new Error(leaf.reason);
    expect(leaf.value.extensions.names.map((name) => name.content.toString())).toEqual([order.spiffeId]);
    expect(leaf.value.extensions.basicConstraints).toEqual({ ca: false, pathLength: undefined });
    expect(leaf.value.extensions.keyUsage).toEqual({ bits: 0x80, critical: true });
  });
});

describe('A41: only a P-256 key whose holder signed is accepted', () => {
  const keys = makeKeys();
  const good = request(keys);
  const other = exportSpki(makeKeys().publicKey);
  const replaced = Buffer.from(good);
  other.copy(replaced, good.indexOf(exportSpki(keys.publicKey)));
  const offCurve = Buffer.from(good);
  offCurve.fill(0xff, good.indexOf(hex('03420004')) + 4, good.indexOf(hex('03420004')) + 68);
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const explicit = generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' });

  test.each([
    ['a good one', good, 'accepted'],
    ['RSA of 1024 bits', request(makeWeakKeys('rsa-1024')), 'weak-key'],
    ['RSA of 2048 bits', request(rsa), 'weak-key'],
    ['P-192', request(makeWeakKeys('p-192')), 'weak-key'],
    ['secp256k1', request(makeWeakKeys('secp256k1')), 'weak-key'],
    ['P-384', request(generateKeyPairSync('ec', { namedCurve: 'P-384' })), 'weak-key'],
    ['a curve written out', request(explicit), 'weak-key'],
    ["another's key under our signature", replaced, 'bad-signature'],
    ['a point off the curve', offCurve, 'malformed'],
    ['a signature cut short', tlv(0x30, good.subarray(4, -40)), 'malformed'],
    [
      'a changed signature',
      Buffer.concat([good.subarray(0, -1), Buffer.from([(good.at(-1) ?? 0) ^ 1])]),
      'bad-signature',
    ],
    ['a byte too many', Buffer.concat([good, Buffer.alloc(1)]), 'malformed'],
    ['nothing', Buffer.alloc(0), 'malformed'],
    ['16 KiB of rubbish', Buffer.alloc(maxCsrBytes, 0x30), 'malformed'],
    ['16 KiB and a byte', Buffer.alloc(maxCsrBytes + 1), 'too-large'],
    ['1 MiB', Buffer.alloc(1_048_576, 0x30), 'too-large'],
  ])('%s', (_, der, expected) => {
    expect(read(der)).toBe(expected);
  });

  test('a key used twice shows in its thumbprint, whatever else the requests say', () => {
    const [first, second] = [readCsr(good), readCsr(request(keys, [asking(names(tlv(0x82, 'a')))]))];
    expect(first.ok && second.ok && first.value.keyThumbprint === second.value.keyThumbprint).toBe(true);
  });

  test('no bytes at all make it throw, and none but a request with its own signature are accepted', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        expect(read(bytes)).toBe('malformed');
      }),
    );
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bytes = Buffer.from(good);
        bytes.writeUInt8((bytes[at] ?? 0) ^ change, at);
        expect(['malformed', 'weak-key', 'bad-signature']).toContain(read(bytes));
      }),
      { numRuns: 300 },
    );
  });
});
