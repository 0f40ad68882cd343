import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { checkIssued } from '#certs/check-issued.ts';
import { createIssuer, issueSvid, type SvidOrder } from '#certs/issue-svid.ts';
import { issueIntermediate, issueRoot } from '#certs/issue-authority.ts';
import { exportSpki, generateSerial } from '#certs/keys.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import { createTestCa, makeKeys, type CertificateRecipe } from '#support/test-ca.ts';
import { createAuthority, hourMs, id, nowMs, orderFor, prices, type OwnAuthority } from './authority.ts';

const keys = makeKeys();
let own: OwnAuthority;
beforeAll(async () => {
  own = await createAuthority();
});

describe('issueSvid', () => {
  test('what is ordered is what node, our verifier and our own check read in the certificate', async () => {
    const segment = fc.stringMatching(/^[a-zA-Z0-9_-]{1,30}$/);
    const orders = fc.record({
      spiffeId: fc
        .array(segment, { minLength: 1, maxLength: 5 })
        .map((path) => id(`spiffe://shop.example/${path.join('/')}`)),
      lifeMs: fc.integer({ min: 2000, max: 30 * hourMs }),
      issuedAtMs: fc.integer({ min: nowMs, max: nowMs + 20 * hourMs }),
      serial: fc
        .uint8Array({ minLength: 16, maxLength: 16 })
        .filter((s) => s[0] !== 0)
        .map((s) => Buffer.from(s)),
    });
    await fc.assert(
      fc.asyncProperty(orders, async (changes) => {
        const order = orderFor(keys, changes);
        const der = await issueSvid(order, own.issuer);
        const node = new X509Certificate(der);
        const issuerEndMs = Math.floor((nowMs + 24 * hourMs) / 1000) * 1000;
        const endMs = Math.min(Math.ceil((order.issuedAtMs + order.lifeMs) / 1000) * 1000, issuerEndMs);
        expect(node.subjectAltName).toBe(`URI:${order.spiffeId}`);
        expect(node.serialNumber.toLowerCase()).toBe(order.serial.toString('hex'));
        expect(node.validToDate.getTime()).toBe(endMs);
        expect(node.validFromDate.getTime()).toBe(Math.floor((order.issuedAtMs - 60_000) / 1000) * 1000);
        expect(node.publicKey.equals(keys.publicKey)).toBe(true);
        const checked = checkIssued(der, { ...order, issuer: own.issuer.certificateDer });
        const chain = [der, own.issuer.certificateDer];
        const verified = verifySvid(chain, { bundle: own.bundle, nowMs: order.issuedAtMs });
        expect(checked.ok && verified.ok).toBe(true);
        if (checked.ok && verified.ok) expect({ ...verified.value, chainDer: [der] }).toEqual(checked.value);
      }),
      { numRuns: 60 },
    );
  });

  test('a life is at least what was asked, up to the next whole second (M6)', async () => {
    const order = orderFor(keys, { issuedAtMs: nowMs, lifeMs: 10_000 });
    const node = new X509Certificate(await issueSvid(order, own.issuer));
    expect(node.validToDate.getTime()).toBe(nowMs + 11_000 - 345);
  });

  test.each<[string, Partial<SvidOrder>]>([
    ['a life under 2 s', { lifeMs: 1999 }],
    ['a life that is no number', { lifeMs: Number.NaN }],
    ['a serial of 15 bytes', { serial: Buffer.alloc(15, 1) }],
    ['a serial that begins with 0', { serial: Buffer.alloc(16) }],
    ['an issuer that ends in a second', { issuedAtMs: nowMs + 24 * hourMs - 1000 }],
  ])('%s is a fault of the caller', async (_, changes) => {
    await expect(issueSvid(orderFor(keys, changes), own.issuer)).rejects.toThrow(RangeError);
  });

  test('a key that is not the certificate’s makes no issuer', () => {
    expect(() => createIssuer(own.issuer.certificateDer, keys.privateKey)).toThrow(TypeError);
  });

  test('serials are 16 random bytes', () => {
    const serials = Array.from({ length: 200 }, () => generateSerial().toString('hex'));
    expect(new Set(serials).size).toBe(200);
    expect(serials.every((text) => text.length === 32 && !text.startsWith('00'))).toBe(true);
  });
});

describe('checkIssued lets nothing out that breaks our own rules', () => {
  const ca = createTestCa({ nowMs });
  const uri = { kind: 'uri', text: prices } as const;
  const leaf = (recipe: CertificateRecipe): Buffer => {
    const times = { notBeforeMs: nowMs - 60_000, notAfterMs: nowMs + hourMs };
    return ca.leaf('prices', { keys, ...times, ...recipe }).der;
  };
  const expected = (changes: Partial<SvidOrder> = {}) => ({ ...orderFor(keys, changes), issuer: ca.der });

  test.each<[string, CertificateRecipe]>([
    ['other-spiffe-id', { names: [{ kind: 'uri', text: 'spiffe://shop.example/ns/default/sa/orders' }] }],
    ['surplus-names', { names: [uri, { kind: 'dns', text: 'prices' }] }],
    ['several-uri-sans', { names: [uri, uri] }],
    ['no-uri-san', { names: [] }],
    ['other-key', { keys: makeKeys() }],
    ['leaf-is-ca', { basicConstraints: { pathLength: undefined } }],
    ['bad-key-usage', { keyUsage: 0x84 }],
    ['bad-extended-key-usage', { purposes: [] }],
    ['other-serial', {}],
  ])('%s', (reason, recipe) => {
    expect(checkIssued(leaf(recipe), expected())).toEqual({ ok: false, reason });
  });

  test('times, issuer and signature', async () => {
    const order = orderFor(keys);
    const der = await issueSvid(order, own.issuer);
    const issuer = own.issuer.certificateDer;
    const broken = Buffer.from(der);
    broken.writeUInt8((der.at(-1) ?? 0) ^ 1, der.length - 1);
    const reason = (bytes: Buffer, changes: object): string => {
      const checked = checkIssued(bytes, { ...order, issuer, ...changes });
      return checked.ok ? 'accepted' : checked.reason;
    };
    expect(reason(der, {})).toBe('accepted');
    expect(reason(der, { lifeMs: hourMs - 1000 })).toBe('too-long-life');
    expect(reason(der, { issuedAtMs: nowMs + 2000 })).toBe('other-not-before');
    expect(reason(der, { issuer: own.rootDer })).toBe('other-issuer');
    expect(reason(broken, {})).toBe('bad-signature');
    expect(reason(der.subarray(1), {})).toBe('malformed');
  });

  test('a name that the intermediate may not give is caught, also where the order asked for it', async () => {
    const order = orderFor(keys, { spiffeId: id('spiffe://bank.example/ns/default/sa/prices') });
    const der = await issueSvid(order, own.issuer);
    const checked = checkIssued(der, { ...order, issuer: own.issuer.certificateDer });
    expect(checked).toEqual({ ok: false, reason: 'name-constraint' });
  });
});

describe('authorities', () => {
  test('root and intermediate read as authorities, named apart, the intermediate not after its root', async () => {
    const rootKeys = makeKeys();
    const order = { trustDomain: 'shop.example', issuedAtMs: nowMs, lifeMs: hourMs, serial: generateSerial() };
    const rootDer = issueRoot(order, rootKeys);
    const spkiDer = exportSpki(keys.publicKey);
    const below = { ...order, serial: generateSerial(), lifeMs: 2 * hourMs, spkiDer };
    const [root, intermediate] = [
      new X509Certificate(rootDer),
      new X509Certificate(await issueIntermediate(below, createIssuer(rootDer, rootKeys.privateKey))),
    ];
    expect([root.ca, intermediate.ca]).toEqual([true, true]);
    expect(root.subject).toBe(`CN=Eastwest root shop.example ${order.serial.toString('hex', 0, 4)}`);
    expect(intermediate.issuer).toBe(root.subject);
    expect(intermediate.validToDate).toEqual(root.validToDate);
    expect(intermediate.checkIssued(root) && intermediate.verify(root.publicKey)).toBe(true);
    expect([root.subjectAltName, intermediate.subjectAltName]).toEqual(Array(2).fill('URI:spiffe://shop.example'));
  });

  test.each(['shop', 'a_b-c.example', '10.0.0.1', '.leading.example', 'a..b', `${'long.'.repeat(50)}x`])(
    'trust domain %s: its leaves verify',
    async (trustDomain) => {
      const authority = await createAuthority(trustDomain);
      const order = orderFor(keys, { spiffeId: id(`spiffe://${trustDomain}/a`) });
      const chain = [await issueSvid(order, authority.issuer), authority.issuer.certificateDer];
      expect(verifySvid(chain, { bundle: authority.bundle, nowMs })).toMatchObject({ ok: true });
      expect(new X509Certificate(authority.rootDer).subject.length).toBeLessThanOrEqual('CN='.length + 64);
    },
  );
});
