import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { issueSvid } from '#certs/issue-svid.ts';
import { createTrustBundle } from '#certs/trust-bundle.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import { extension, primitive } from '#certs/x509.ts';
import { badLeaves, createTestCa, makeKeys, makeWeakKeys, type CertificateRecipe } from '#support/test-ca.ts';
import { createAuthority, hourMs, nowMs, orderFor, prices, type OwnAuthority } from './authority.ts';

const ca = createTestCa({ nowMs });
const issuer = ca.intermediate();

function verify(chainDer: readonly Uint8Array[], bundle = ca.bundle, atMs = nowMs): string {
  const verified = verifySvid(chainDer, { bundle, nowMs: atMs });
  return verified.ok ? 'accepted' : verified.reason;
}

const leaf = (recipe?: CertificateRecipe): readonly Buffer[] => issuer.leaf('prices', recipe).chainDer;
const named = (text: string): readonly Buffer[] => leaf({ names: [{ kind: 'uri', text }] });

test('a good chain gives the SVID: ID, times, serial, thumbprints, the chain without its root', () => {
  const made = issuer.leaf('prices', { subject: 'prices, "v2"' });
  const node = new X509Certificate(made.der);
  const verified = verifySvid([...made.chainDer, ca.der], { bundle: ca.bundle, nowMs });
  expect(verified).toEqual({
    ok: true,
    value: {
      spiffeId: prices,
      chainDer: made.chainDer,
      serialHex: node.serialNumber.toLowerCase(),
      notBeforeMs: node.validFromDate.getTime(),
      notAfterMs: node.validToDate.getTime(),
      thumbprint: node.fingerprint256.replaceAll(':', '').toLowerCase(),
      keyThumbprint: expect.stringMatching(/^[0-9a-f]{64}$/),
      subject: 'CN=prices\\, \\"v2\\"',
      commonName: 'prices, "v2"',
    },
  });
});

describe('A42: names', () => {
  test.each([
    ['no URI SAN', badLeaves['no URI SAN'], 'no-uri-san'],
    ['common name only', badLeaves['common name only'], 'no-uri-san'],
    ['two URI SANs', badLeaves['two URI SANs'], 'several-uri-sans'],
    [
      'the same URI twice',
      {
        names: [
          { kind: 'uri', text: prices },
          { kind: 'uri', text: prices },
        ],
      },
      'several-uri-sans',
    ],
    [
      'a SPIFFE ID and a web address',
      {
        names: [
          { kind: 'uri', text: prices },
          { kind: 'uri', text: 'https://a' },
        ],
      },
      'several-uri-sans',
    ],
    [
      'a DNS name beside the URI',
      {
        names: [
          { kind: 'uri', text: prices },
          { kind: 'dns', text: 'prices' },
        ],
      },
      'accepted',
    ],
  ] as const)('%s', (_, recipe, expected) => {
    expect(verify(leaf(recipe))).toBe(expected);
  });

  test.each([
    ['upper case', 'spiffe://Shop.example/a'],
    ['an upper-case scheme', 'SPIFFE://shop.example/a'],
    ['percent encoding', 'spiffe://shop.example/%61'],
    ['a trailing slash', 'spiffe://shop.example/a/'],
    ['no path', 'spiffe://shop.example'],
    ['..', 'spiffe://shop.example/../a'],
    ['a port', 'spiffe://shop.example:443/a'],
    ['userinfo', 'spiffe://me@shop.example/a'],
    ['a query', 'spiffe://shop.example/a?b'],
    ['a fragment', 'spiffe://shop.example/a#b'],
    ['2,049 bytes', `spiffe://shop.example/${'a'.repeat(2049 - 22)}`],
    ['a zero byte', 'spiffe://shop.example/a\0b'],
    ['bytes above 127', 'spiffe://shop.example/\xe9'],
    ['another scheme', 'https://shop.example/a'],
    ['nothing', ''],
  ])('a URI with %s is refused', (_, text) => {
    expect(verify(named(text))).toBe('bad-spiffe-id');
  });

  test.each([...';,"= \r\n\\'])('A78: an ID with %j, which means something in a header, is refused', (character) => {
    expect(verify(named(`spiffe://shop.example/a${character}URI=spiffe://shop.example/admin`))).toBe('bad-spiffe-id');
  });
});

describe('A43: the leaf', () => {
  const unknown = extension('1.3.6.1.4.1.55555.1', 'critical', primitive(0x05, ''));
  const harmless = extension('1.3.6.1.4.1.55555.1', 'not-critical', primitive(0x05, ''));
  const second = extension('2.5.29.19', 'critical', primitive(0x30, ''));
  test.each<[string, CertificateRecipe, string]>([
    ['CA:TRUE', badLeaves['CA:TRUE'], 'leaf-is-ca'],
    ['keyCertSign', badLeaves.keyCertSign, 'bad-key-usage'],
    ['cRLSign', badLeaves.cRLSign, 'bad-key-usage'],
    ['no key usage', badLeaves['no key usage'], 'bad-key-usage'],
    ['key usage that is not critical', { keyUsageCriticality: 'not-critical' }, 'bad-key-usage'],
    ['keyEncipherment without digitalSignature', { keyUsage: 0x20 }, 'bad-key-usage'],
    ['keyEncipherment beside digitalSignature', { keyUsage: 0xa0 }, 'accepted'],
    ['no basic constraints', { basicConstraints: 'absent' }, 'accepted'],
    ['no extended key usage', badLeaves['no extended key usage'], 'bad-extended-key-usage'],
    ['server purpose only', badLeaves['server purpose only'], 'bad-extended-key-usage'],
    ['client purpose only', badLeaves['client purpose only'], 'bad-extended-key-usage'],
    ['expired', { notAfterMs: nowMs }, 'expired'],
    ['not yet valid', { notBeforeMs: nowMs + 1000 }, 'not-yet-valid'],
    ['validity inverted', { notBeforeMs: nowMs + hourMs, notAfterMs: nowMs - hourMs }, 'validity-inverted'],
    ['RSA of 1024 bits', { keys: makeWeakKeys('rsa-1024') }, 'weak-key'],
    ['P-192', { keys: makeWeakKeys('p-192') }, 'weak-key'],
    ['an unknown critical extension', { extensions: [unknown] }, 'unknown-critical-extension'],
    ['an unknown extension that is not critical', { extensions: [harmless] }, 'accepted'],
    ['an extension that stands twice', { extensions: [second] }, 'malformed'],
    ['a broken signature', badLeaves['broken signature'], 'bad-signature'],
  ])('%s', (_, recipe, expected) => {
    expect(verify(leaf(recipe))).toBe(expected);
  });

  test('the first second of the validity is in, the last is out, as OpenSSL counts', () => {
    const times = { notBeforeMs: 10_000_000, notAfterMs: 20_000_000 };
    const far = createTestCa({ nowMs: 15_000_000, root: { notBeforeMs: 0, notAfterMs: 99_000_000 } });
    const chain = far.leaf('prices', times).chainDer;
    const at = (ms: number): string => verify(chain, far.bundle, ms);
    expect([9_999_999, 10_000_000, 19_999_999, 20_000_000].map(at)).toEqual([
      'not-yet-valid',
      'accepted',
      'accepted',
      'expired',
    ]);
  });
});

describe('A43: the chain', () => {
  const below = (recipe: CertificateRecipe): readonly Buffer[] => ca.intermediate(recipe).leaf('prices').chainDer;
  test.each<[string, CertificateRecipe, string]>([
    ['an intermediate without CA', { basicConstraints: 'leaf' }, 'issuer-not-ca'],
    ['an intermediate without basic constraints', { basicConstraints: 'absent' }, 'issuer-not-ca'],
    ['an intermediate that may not sign certificates', { keyUsage: 0x80 }, 'issuer-not-ca'],
    ['an intermediate for other purposes', { purposes: ['1.3.6.1.5.5.7.3.4'] }, 'bad-issuer-purpose'],
    ['an intermediate for both sides of TLS', { purposes: ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'] }, 'accepted'],
    ['an expired intermediate', { notAfterMs: nowMs - 1000 }, 'issuer-outside-validity'],
    ['an intermediate of tomorrow', { notBeforeMs: nowMs + 1000 }, 'issuer-outside-validity'],
    ['an intermediate with a weak key', { keys: makeWeakKeys('p-192') }, 'weak-key'],
    ['an intermediate with a broken signature', { signature: 'broken' }, 'bad-signature'],
    ['names permitted', { permittedUriHost: 'shop.example' }, 'accepted'],
    ['names outside the permitted host', { permittedUriHost: 'bank.example' }, 'name-constraint'],
    ['the permitted host a part of ours', { permittedUriHost: 'example' }, 'name-constraint'],
    ['subdomains of the permitted one', { permittedUriHost: '.example' }, 'accepted'],
    ['the domain itself where only subdomains are permitted', { permittedUriHost: '.shop.example' }, 'name-constraint'],
  ])('%s', (_, recipe, expected) => {
    expect(verify(below(recipe))).toBe(expected);
  });

  test.each([
    ['one intermediate below a root with path length 0', 0, 1, 'path-too-long'],
    ['one intermediate below a root with path length 1', 1, 1, 'accepted'],
    ['two intermediates below a root with path length 1', 1, 2, 'path-too-long'],
    ['no intermediate below a root with path length 0', 0, 0, 'accepted'],
    ['five intermediates below a root without one', undefined, 5, 'accepted'],
  ])('%s: %s', (_, pathLength, count, expected) => {
    const root = createTestCa({ nowMs, root: { basicConstraints: { pathLength } } });
    let lowest = root;
    for (let i = 0; i < count; i += 1) {
      const recipe = { subject: `Intermediate ${i}`, basicConstraints: { pathLength: undefined } };
      lowest = lowest.intermediate(recipe);
    }
    expect(verify(lowest.leaf('prices').chainDer, root.bundle)).toBe(expected);
  });

  test('an intermediate with path length 0 signs no further one', () => {
    const chain = issuer.intermediate({ subject: 'Below', basicConstraints: { pathLength: undefined } }).leaf('prices');
    expect(verify(chain.chainDer)).toBe('path-too-long');
  });

  test('a leaf signs nothing', () => {
    const [own] = [ca.intermediate({ basicConstraints: 'leaf', keyUsage: 0x80, subject: 'prices' })];
    expect(verify(own.leaf('orders').chainDer)).toBe('issuer-not-ca');
  });

  test.each([
    [
      'another root of another name',
      createTestCa({ nowMs, root: { subject: 'Elsewhere' } }).leaf('prices').chainDer,
      'unknown-authority',
    ],
    ['another root of the same name', createTestCa({ nowMs }).leaf('prices').chainDer, 'unknown-authority'],
    [
      'another root of the same name, nothing to tell it by',
      createTestCa({ nowMs }).leaf('prices', { authorityKeyId: 'absent' }).chainDer,
      'bad-signature',
    ],
    ['its intermediate left out', leaf().slice(0, 1), 'unknown-authority'],
    ['its intermediate after another', [...leaf().slice(0, 1), ca.der, ...leaf().slice(1)], 'unknown-authority'],
    ['no certificate at all', [], 'empty-chain'],
    ['rubbish', [Buffer.from('rubbish')], 'malformed'],
    ['rubbish above a good leaf', [...leaf().slice(0, 1), Buffer.from('rubbish')], 'malformed'],
    ['nine certificates', [...leaf(), ...Array<Buffer>(7).fill(ca.der)], 'too-large'],
    ['a certificate over 64 KiB', [Buffer.alloc(65_537, 0x30)], 'too-large'],
    ['its own root at the end', [...leaf(), ca.der], 'accepted'],
  ] as const)('%s', (_, chain, expected) => {
    expect(verify(chain)).toBe(expected);
  });

  test('an expired root signs nothing any more; the same root renewed, beside it, does', () => {
    const keys = makeKeys();
    const old = createTestCa({ nowMs, root: { keys, notAfterMs: nowMs - 1000 } });
    const young = createTestCa({ nowMs, root: { keys } });
    const both = createTrustBundle({ trustDomain: 'shop.example', version: 2, roots: [old.der, young.der] });
    if (!both.ok) throw new Error(both.reason);
    expect(verify(old.leaf('prices').chainDer, old.bundle)).toBe('issuer-outside-validity');
    expect(verify(old.leaf('prices').chainDer, both.value)).toBe('accepted');
  });

  test('a chain accepted once is judged anew each time: time, bundle and leaf may have changed', () => {
    const [chain, other] = [leaf(), createTestCa({ nowMs, root: { subject: 'Elsewhere' } })];
    expect(verify(chain)).toBe('accepted');
    expect(verify(chain)).toBe('accepted');
    expect(verify(chain, other.bundle)).toBe('unknown-authority');
    expect(verify(chain, ca.bundle, nowMs + 2 * hourMs)).toBe('expired');
    expect(verify(leaf({ notAfterMs: nowMs + 9 * hourMs }), ca.bundle, nowMs + 2 * hourMs)).toBe(
      'issuer-outside-validity',
    );
    expect(verify(leaf({ signature: 'broken' }))).toBe('bad-signature');
  });
});

describe('A44: trust domains', () => {
  test('a leaf of another trust domain, signed by a trusted root, is refused', () => {
    expect(verify(named('spiffe://bank.example/ns/default/sa/prices'))).toBe('other-trust-domain');
    expect(verify(named('spiffe://sub.shop.example/ns/default/sa/prices'))).toBe('other-trust-domain');
  });

  test('the same path in another trust domain is another ID, judged by that domain’s bundle alone', () => {
    const bank = createTestCa({ nowMs, trustDomain: 'bank.example' });
    const chain = bank.leaf('prices').chainDer;
    expect(verify(chain, bank.bundle)).toBe('accepted');
    expect(verify(chain)).toBe('other-trust-domain');
    expect(verify(bank.leaf('prices', { names: [{ kind: 'uri', text: prices }] }).chainDer)).toBe('unknown-authority');
    const roots = [...ca.bundle.roots, ...bank.bundle.roots];
    const both = createTrustBundle({ trustDomain: 'shop.example', version: 1, roots });
    if (!both.ok) throw new Error(both.reason);
    expect(verify(chain, both.value), 'its root stands beside ours').toBe('other-trust-domain');
  });
});

describe('bytes of any kind', () => {
  let own: OwnAuthority;
  let good: Buffer;
  beforeAll(async () => {
    own = await createAuthority();
    good = await issueSvid(orderFor(makeKeys()), own.issuer);
  });

  test('random ones are refused, never thrown on', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1500 }), (bytes) => {
        expect(verify([bytes])).toBe('malformed');
      }),
    );
  });

  test('no change of a byte in leaf or intermediate passes', () => {
    const positions = fc.record({ which: fc.nat(1), at: fc.nat(), change: fc.integer({ min: 1, max: 255 }) });
    fc.assert(
      fc.property(positions, ({ which, at, change }) => {
        const chain = [Buffer.from(good), Buffer.from(own.issuer.certificateDer)];
        const bytes = chain[which] ?? good;
        bytes.writeUInt8((bytes[at % bytes.length] ?? 0) ^ change, at % bytes.length);
        expect(verify(chain, own.bundle)).not.toBe('accepted');
      }),
      { numRuns: 400 },
    );
  });

  test('no shorter piece of a certificate passes, and 64 KiB of nesting takes no time', () => {
    for (let end = 0; end < good.length; end += 7)
      expect(verify([good.subarray(0, end)], own.bundle)).toBe('malformed');
    const nested = Buffer.alloc(60_000, 0x30);
    const started = performance.now();
    for (let i = 0; i < 100; i += 1) verify([nested], own.bundle);
    expect(performance.now() - started).toBeLessThan(500);
  });
});
