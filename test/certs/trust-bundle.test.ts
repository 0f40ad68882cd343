import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { certificatesToPem, parseCertificatesPem } from '#certs/pem.ts';
import {
  createTrustBundle,
  maxRoots,
  parseTrustBundlePem,
  rootsOf,
  sameRoots,
  trustBundleToPem,
} from '#certs/trust-bundle.ts';
import { createTestCa, makeWeakKeys } from '#support/test-ca.ts';
import { nowMs } from './authority.ts';

const ca = createTestCa({ nowMs });
const other = createTestCa({ nowMs, root: { subject: 'Other root' } });
const facts = { trustDomain: 'shop.example', version: 3 };

function bundle(...roots: readonly Uint8Array[]): ReturnType<typeof createTrustBundle> {
  return createTrustBundle({ ...facts, roots });
}

describe('createTrustBundle', () => {
  test.each([
    ['a root', [ca.der], 'accepted'],
    ['an expired root', [createTestCa({ nowMs, root: { notAfterMs: nowMs - 1 } }).der], 'accepted'],
    ['an authority that another one signed', [ca.intermediate().der], 'accepted'],
    ['nothing', [], 'no-roots'],
    ['rubbish', [ca.der, Buffer.from('rubbish')], 'malformed'],
    ['a leaf', [ca.leaf('prices').der], 'root-is-not-ca'],
    ['CA:FALSE', [createTestCa({ nowMs, root: { basicConstraints: 'leaf' } }).der], 'root-is-not-ca'],
    ['no keyCertSign', [createTestCa({ nowMs, root: { keyUsage: 0x80 } }).der], 'root-is-not-ca'],
    ['RSA of 1024 bits', [createTestCa({ nowMs, root: { keys: makeWeakKeys('rsa-1024') } }).der], 'weak-root-key'],
    ['a broken signature', [createTestCa({ nowMs, root: { signature: 'broken' } }).der], 'bad-root-signature'],
    ['too many', Array<Buffer>(maxRoots + 1).fill(ca.der), 'too-many-roots'],
  ] as const)('%s', (_, roots, expected) => {
    const made = bundle(...roots);
    expect(made.ok ? 'accepted' : made.reason).toBe(expected);
  });

  test.each([
    ['Shop.example', 1, 'bad-trust-domain'],
    ['spiffe://shop.example', 1, 'bad-trust-domain'],
    ['shop.example', -1, 'bad-version'],
    ['shop.example', 1.5, 'bad-version'],
  ])('%s, version %d: %s', (trustDomain, version, reason) => {
    expect(createTrustBundle({ trustDomain, version, roots: [ca.der] })).toEqual({ ok: false, reason });
  });

  test('a root given twice counts once, the bundle is frozen, and later changes to the bytes do not reach it', () => {
    const bytes = Buffer.from(ca.der);
    const made = bundle(bytes, ca.der);
    bytes.fill(0);
    if (!made.ok) throw new Error(made.reason);
    expect(made.value).toEqual({ ...facts, roots: [ca.der] });
    expect(Object.isFrozen(made.value) && Object.isFrozen(made.value.roots)).toBe(true);
  });

  test('only bundles that were checked are used', () => {
    expect(() => rootsOf({ ...facts, roots: [ca.der] })).toThrow(TypeError);
  });
});

describe('PEM', () => {
  test('a bundle is written, and read back as it was, by node as well', () => {
    const made = bundle(ca.der, other.der);
    if (!made.ok) throw new Error(made.reason);
    const pem = trustBundleToPem(made.value);
    expect(parseTrustBundlePem(pem, facts)).toEqual(made);
    expect(new X509Certificate(pem).raw.equals(ca.der)).toBe(true);
    expect(pem.split('\n').every((line) => line.length <= 64)).toBe(true);
  });

  const good = certificatesToPem([ca.der]);
  test.each([
    ['text around the blocks', `subject=a\n${good}# end\n${good}`, 'accepted'],
    ['lines with CR LF', good.replaceAll('\n', '\r\n'), 'accepted'],
    ['one long line', good.replace(/(?<=[^-])\n(?=[^-])/g, ''), 'accepted'],
    ['nothing', '', 'no-certificates'],
    ['text only', 'rubbish', 'no-certificates'],
    ['a private key', `${good}-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n`, 'not-a-certificate'],
    ['a block cut short', good.slice(0, -30), 'malformed'],
    ['a good block and the beginning of another', good + good.slice(0, 90), 'malformed'],
    ['other letters in a block', good.replace('MI', '!!'), 'malformed'],
    ['over 1 MiB', ' '.repeat(1_048_577), 'too-large'],
  ])('%s', (_, pem, expected) => {
    const parsed = parseCertificatesPem(pem);
    expect(parsed.ok ? 'accepted' : parsed.reason).toBe(expected);
  });

  test('blocks that hold no certificate make no bundle', () => {
    const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    expect(parseTrustBundlePem(pem, facts)).toEqual({ ok: false, reason: 'malformed' });
  });
});

test('sameRoots looks at trust domain and roots, in any order, not at the version', () => {
  const make = (roots: readonly Buffer[], changes = {}) => {
    const made = createTrustBundle({ ...facts, roots, ...changes });
    if (!made.ok) throw new Error(made.reason);
    return made.value;
  };
  const both = make([ca.der, other.der]);
  expect(sameRoots(both, make([other.der, ca.der], { version: 9 }))).toBe(true);
  expect(sameRoots(both, make([ca.der]))).toBe(false);
  expect(sameRoots(make([other.der]), make([ca.der]))).toBe(false);
  expect(sameRoots(make([ca.der]), make([ca.der], { trustDomain: 'bank.example' }))).toBe(false);
});
