import { createHash, createHmac, generateKeyPairSync, randomBytes, verify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { TlsRole } from '#agent/proof/authenticator-keys.ts';
import { writeAuthenticatorRequest, type AuthenticatorRequest } from '#agent/proof/authenticator-request.ts';
import { makeAuthenticator, verifyAuthenticator } from '#agent/proof/exported-authenticator.ts';
import { handshakeMessage } from '#agent/proof/handshake-message.ts';
import { parseSpiffeId } from '#certs/spiffe-id.ts';
import { buildAuthenticator, someKeys, type AuthenticatorRecipe } from '#support/authenticator-recipe.ts';
import { badLeaves, createTestCa, makeKeys } from '#support/test-ca.ts';

const nowMs = Date.UTC(2026, 0, 1);
const ca = createTestCa({ nowMs });
const otherCa = createTestCa({ nowMs });
const prices = ca.leaf('prices');
const expected = idOf('prices');
const keys = someKeys();

function idOf(name: string) {
  const id = parseSpiffeId(`spiffe://shop.example/ns/default/sa/${name}`);
  if (!id.ok) throw new Error(id.reason);
  return id.value;
}

function asked(asker: TlsRole): AuthenticatorRequest {
  return writeAuthenticatorRequest(asker, randomBytes(32));
}

const server = { keys, role: 'server' } as const;

function judge(messages: readonly Buffer[], request: AuthenticatorRequest, atMs = nowMs) {
  const [certificate, certificateVerify, finished] = messages.map((whole) =>
    handshakeMessage(whole.readUInt8(0), whole.subarray(4)),
  );
  if (!certificate || !certificateVerify || !finished) throw new Error('three messages');
  const authenticator = { certificate, certificateVerify, finished };
  return verifyAuthenticator(authenticator, request, { ...server, bundle: ca.bundle, nowMs: atMs, expected });
}

describe('an authenticator of ours', () => {
  test.each(['sha256', 'sha384'] as const)('has the bytes of RFC 9261, with %s', (hash) => {
    const connection = someKeys(hash);
    const request = asked('client');
    const own = { chainDer: prices.chainDer, privateKey: prices.keys.privateKey };
    const made = makeAuthenticator(request, own, { keys: connection, role: 'server' });
    if (!made.ok) throw new Error(made.reason);
    const { certificate, certificateVerify, finished } = made.value;
    const { handshakeContext, finishedKey } = connection.server;
    const digest = (...parts: Buffer[]) => createHash(hash).update(Buffer.concat(parts)).digest();

    // Certificate: type 11, the request's context, one entry of a 24-bit length without extensions
    const [der] = prices.chainDer as [Buffer];
    const entry = Buffer.concat([u24(der.length), der, Buffer.from([0, 0])]);
    const body = Buffer.concat([Buffer.from([32]), request.context, u24(entry.length), entry]);
    expect(certificate.whole).toEqual(Buffer.concat([Buffer.from([11]), u24(body.length), body]));

    // CertificateVerify: type 15, ecdsa_secp256r1_sha256, over 64 blanks, the text, a zero and the transcript's hash
    const signature = certificateVerify.whole.subarray(8);
    const signatureHead = Buffer.from([15, 0, 0, signature.length + 4, 0x04, 0x03, 0, signature.length]);
    expect(certificateVerify.whole.subarray(0, 8)).toEqual(signatureHead);
    const signed = Buffer.concat([
      Buffer.from(`${' '.repeat(64)}Exported Authenticator\0`),
      digest(handshakeContext, request.message.whole, certificate.whole),
    ]);
    expect(verify('sha256', signed, prices.keys.publicKey, signature)).toBe(true);

    // Finished: type 20, HMAC with the finished key over the hash of all before
    const transcript = digest(handshakeContext, request.message.whole, certificate.whole, certificateVerify.whole);
    const mac = createHmac(hash, finishedKey).update(transcript).digest();
    expect(finished.whole).toEqual(Buffer.concat([Buffer.from([20, 0, 0, mac.length]), mac]));
  });

  test.each([
    ['P-256', 'ec', { namedCurve: 'P-256' }, 0x0403],
    ['P-384', 'ec', { namedCurve: 'P-384' }, 0x0503],
    ['RSA', 'rsa', { modulusLength: 2048 }, 0x0804],
  ] as const)('is signed as a key of %s signs, and is accepted', (_kind, type, options, code) => {
    const pair = generateKeyPairSync(type as 'rsa', options as { modulusLength: number });
    const leaf = ca.leaf('prices', { keys: pair });
    const request = asked('client');
    const made = makeAuthenticator(request, { chainDer: leaf.chainDer, privateKey: pair.privateKey }, server);
    if (!made.ok) throw new Error(made.reason);
    expect(made.value.certificateVerify.body.readUInt16BE(0)).toBe(code);
    const judged = verifyAuthenticator(made.value, request, { ...server, bundle: ca.bundle, nowMs, expected });
    expect(judged).toMatchObject({ ok: true, value: { spiffeId: expected, svid: { chainDer: [leaf.der] } } });
  });

  test('is not made for an asker who takes none of the key’s schemes', () => {
    const request = { ...asked('client'), schemes: [0x0807] };
    const made = makeAuthenticator(request, { chainDer: prices.chainDer, privateKey: prices.keys.privateKey }, server);
    expect(made).toEqual({ ok: false, reason: 'no-common-scheme' });
  });
});

const request = asked('client');

/** One way to be right or wrong per row: what is changed against a good answer to a client's request. */
const rows: [
  what: string,
  changes: Partial<AuthenticatorRecipe> | (() => Partial<AuthenticatorRecipe>),
  verdict: string,
][] = [
  ['by the keys and steps of the RFC', {}, 'accepted'],
  ['with an intermediate in its chain', () => withChain(ca.intermediate().leaf('prices')), 'accepted'],
  ['of another context', { context: randomBytes(32) }, 'other-context'],
  ['of a context cut short', { context: Buffer.alloc(31) }, 'other-context'],
  ['of an empty context', { context: Buffer.alloc(0) }, 'other-context'],
  ['of another connection', { keys: someKeys() }, 'bad-finished'],
  ['made with the client’s keys instead of the server’s', { sender: 'client' }, 'bad-finished'],
  ['to another request with the same context', { request: ofOtherType(request) }, 'bad-finished'],
  ['with a broken MAC', { mac: 'broken' }, 'bad-finished'],
  ['with a MAC one byte short', { mac: 'short' }, 'bad-finished'],
  ['signed by another key', () => ({ privateKey: makeKeys().privateKey }), 'bad-signature'],
  ['signed for a TLS handshake', { signedText: 'TLS 1.3, server CertificateVerify' }, 'bad-signature'],
  ['with a scheme of another curve', { schemeCode: 0x0503, digest: 'sha384' }, 'bad-signature'],
  ['with a scheme that TLS 1.3 has not', { schemeCode: 0x0401 }, 'bad-signature'],
  ['with a signature over SHA-384 named SHA-256', { digest: 'sha384' }, 'bad-signature'],
  ['of another workload', () => withChain(ca.leaf('orders')), 'other-identity'],
  ['of another trust domain', () => withChain(otherDomain().leaf('prices')), 'other-trust-domain'],
  ['of an authority we do not know', () => withChain(otherCa.leaf('prices')), 'unknown-authority'],
  ['of an expired certificate', () => withChain(ca.leaf('prices', { notAfterMs: nowMs })), 'expired'],
  ['of one not yet valid', () => withChain(ca.leaf('prices', { notBeforeMs: nowMs + 1000 })), 'not-yet-valid'],
  ['of an authority’s certificate', () => withChain(ca.leaf('prices', badLeaves['CA:TRUE'])), 'leaf-is-ca'],
  ['with an empty list of certificates', { chainDer: [] }, 'empty-chain'],
  ['with nine certificates', { chainDer: Array.from({ length: 9 }, () => prices.der) }, 'too-large'],
  ['with a certificate that is none', { chainDer: [Buffer.from('no')] }, 'malformed'],
  ['with an extension that was not offered', { entryExtensions: Buffer.from([0, 5, 0, 0]) }, 'malformed'],
  ['with a byte too many in Certificate', { surplus: 'in-certificate' }, 'malformed'],
  ['with a byte too many in CertificateVerify', { surplus: 'in-certificate-verify' }, 'malformed'],
];

describe('an authenticator', () => {
  test.each(rows)('%s is judged', (_what, changes, verdict) => {
    const recipe: AuthenticatorRecipe = {
      keys,
      sender: 'server',
      request: request.message.whole,
      chainDer: prices.chainDer,
      privateKey: prices.keys.privateKey,
      ...(typeof changes === 'function' ? changes() : changes),
    };
    const judged = judge(buildAuthenticator(recipe), request);
    expect(judged.ok ? 'accepted' : judged.reason).toBe(verdict);
  });

  test('is refused with any one bit of it turned', () => {
    const { chainDer, keys: own } = prices;
    const recipe = {
      keys,
      sender: 'server',
      request: request.message.whole,
      chainDer,
      privateKey: own.privateKey,
    } as const;
    const messages = buildAuthenticator(recipe);
    for (const [index, message] of messages.entries()) {
      for (let at = 4; at < message.length; at += 5) {
        const changed = messages.map((each) => Buffer.from(each));
        changed[index]![at]! ^= 1 << (at % 8);
        expect(judge(changed, request).ok).toBe(false);
      }
      const cut = messages.with(index, message.subarray(0, -1));
      expect(judge(cut, request).ok).toBe(false);
    }
  });
});

function ofOtherType({ message }: AuthenticatorRequest): Buffer {
  const whole = Buffer.from(message.whole);
  whole.writeUInt8(13, 0);
  return whole;
}

function otherDomain() {
  return createTestCa({ nowMs, trustDomain: 'rival.example' });
}

function withChain(leaf: { chainDer: readonly Buffer[]; keys: { privateKey: AuthenticatorRecipe['privateKey'] } }) {
  return { chainDer: leaf.chainDer, privateKey: leaf.keys.privateKey };
}

function u24(value: number): Buffer {
  return Buffer.from([value >> 16, (value >> 8) & 0xff, value & 0xff]);
}
