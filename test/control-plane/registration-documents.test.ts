import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { readRegistrations } from '#control-plane/registry/documents.ts';
import type { Client, Service } from '#control-plane/registry/model.ts';
import { clientText, serviceText } from '#support/registrations.ts';

const cart = 'spiffe://shop.example/ns/default/sa/cart';
const publicJwk = (curve = 'P-256') =>
  generateKeyPairSync('ec', { namedCurve: curve }).publicKey.export({ format: 'jwk' });
const rsaJwk = (bits: number) =>
  generateKeyPairSync('rsa', { modulusLength: bits }).publicKey.export({ format: 'jwk' });
const key = { ...publicJwk(), kid: 'k1', alg: 'ES256' };
const jwt = { authentication: 'private-key-jwt' };

function read(text: string): Client | Service {
  const documents = readRegistrations(text, 'a.yaml');
  if (!documents.ok) throw new Error(JSON.stringify(documents.reason));
  const document = documents.value[0]?.document;
  if (document === undefined) throw new Error('no document');
  return document;
}

/** `path: problem` of the first problem, or `accepted`. */
function verdict(text: string): string {
  const documents = readRegistrations(text, 'a.yaml');
  return documents.ok ? 'accepted' : `${documents.reason[0]?.path}: ${documents.reason[0]?.problem}`;
}

test('what a client does not say is the narrow choice (S37, S51)', () => {
  expect(read(clientText(cart, { authentication: 'svid', approval: undefined }))).toMatchObject({
    kind: 'Client',
    name: cart,
    tenant: 'shop',
    authentication: { kind: 'svid' },
    grants: new Set(['client_credentials']),
    tokenTypes: new Set(['access_token']),
    access: new Map([['payments', new Set(['payments.read'])]]),
    roles: new Set(),
    maxLifetimeMs: 300_000,
    binding: 'certificate',
    assertsUsersAt: new Set(),
    sourceIdentities: new Set(),
    approval: 'admin',
  });
});

test('a service whose audience is its SPIFFE ID is itself; of another the document says who it is (S28)', () => {
  expect(read(serviceText(cart))).toMatchObject({ owners: new Set([cart]) });
  expect(read(serviceText('payments'))).toMatchObject({ owners: new Set() });
  expect(read(serviceText('payments', { owners: [cart] }))).toMatchObject({ owners: new Set([cart]) });
});

describe('a client', () => {
  const access = (audience: string, ...scopes: string[]) => ({ access: [{ audience, scopes }] });
  test.each<[string, Record<string, unknown>, string | RegExp]>([
    ['billing', {}, 'accepted'],
    ['billing', { ...jwt, jwks: { keys: [key] } }, 'accepted'],
    ['billing', { maxLifetime: '15m', binding: 'none' }, 'accepted'],
    ['billing', { authentication: 'public', grants: ['token_exchange'], binding: 'dpop' }, 'accepted'],
    ['billing', { grants: undefined, access: undefined }, 'accepted'],
    ['billing', access('https://api.example/v1', 'a'), 'accepted'],
    // S33: the name and the proof of it go together
    ['billing', { authentication: 'svid' }, /^spec.authentication: svid is for a client whose name is its SPIFFE ID/],
    [cart, {}, /^spec.authentication: a client whose name is a SPIFFE ID proves it by its SVID/],
    [cart, { authentication: 'svid', sourceIdentities: [cart] }, /^spec.sourceIdentities: the SVID is the source/],
    // S34
    ['web', { authentication: 'public', binding: 'none' }, /^spec.grants: a public client has its user's token only/],
    [
      'web',
      { authentication: 'public', grants: ['token_exchange'] },
      /^spec.binding: a public client has no certificate/,
    ],
    [
      'web',
      { authentication: 'public', grants: ['token_exchange'], binding: 'none', assertsUsersAt: ['payments'] },
      /^spec.assertsUsersAt: a public client cannot vouch/,
    ],
    // S50: audiences are exact
    ['billing', access('*'), /^spec.access\[0\].audience: is a pattern/],
    ['billing', access('https://*.example'), /is a pattern/],
    ['billing', access('payments '), /^spec.access\[0\].audience: is no audience/],
    ['billing', access(''), /is no audience/],
    ['billing', access('Payments'), /is no audience/],
    ['billing', access('http://api.example'), /of URIs only https/],
    ['billing', access('https://API.example/'), /is not how it is compared: write https:\/\/api.example\//],
    ['billing', access('https://api.example:443/x'), /write https:\/\/api.example\/x/],
    ['billing', access('https://api.example/a/../b'), /write https:\/\/api.example\/b/],
    ['billing', access('https://api.example/?a'), /leave out user, query and fragment/],
    ['billing', access('https://api.example/#'), /leave out user, query and fragment/],
    ['billing', access('spiffe://Shop.example/a'), /is no SPIFFE ID/],
    ['billing', { access: [{ audience: 'a' }, { audience: 'a' }] }, /^spec.access\[1\].audience: is there twice/],
    // A28, S81: scopes are exact too
    ['billing', access('payments', 'a b'), /^spec.access\[0\].scopes\[0\]: is no scope/],
    ['billing', access('payments', 'a"'), /is no scope/],
    ['billing', access('payments', 'a\u0001'), /is no scope/],
    ['billing', access('payments', 'payments.*'), /without patterns/],
    ['billing', access('payments', 'a', 'a'), /^spec.access\[0\].scopes\[1\]: is there twice/],
    ['billing', access('payments', ...Array.from({ length: 201 }, (_none, n) => `s${n}`)), /200 are the most/],
    ['billing', { access: Array.from({ length: 1_001 }, (_none, n) => ({ audience: `a${n}` })) }, /1000 are the most/],
    // S51: minutes
    ['billing', { maxLifetime: '16m' }, /^spec.maxLifetime: is too long: a token lives 15m at most/],
    ['billing', { maxLifetime: '901s' }, /is too long/],
    ['billing', { maxLifetime: '1h' }, /is too long/],
    ['billing', { maxLifetime: '0s' }, /is no lifetime/],
    ['billing', { maxLifetime: 300 }, /write a time, e.g. 5m/],
    // what cannot be meant
    ['billing', { grants: ['password'] }, /^spec.grants\[0\]: write client_credentials or token_exchange/],
    ['billing', { grants: [] }, /^spec.grants: is empty/],
    ['billing', { grants: undefined }, /^spec.access: nobody can use it without a grant/],
    ['billing', { access: [] }, /^spec.grants: there is nothing to grant/],
    ['billing', { assertsUsersAt: ['orders'] }, /^spec.assertsUsersAt\[0\]: is no audience of access/],
    ['billing', { binding: 'bearer' }, /^spec.binding: write certificate, dpop, or none/],
    ['billing', { roles: ['Premium'] }, /^spec.roles\[0\]: is no name/],
    ['billing', { clientSecret: 'hunter2' }, /^spec.clientSecret: there is no such field/],
    ['billing', { approval: 'no' }, /^spec.approval: write admin or none/],
  ])('%s with %o is %s', (name, spec, expected) => {
    expect(verdict(clientText(name, spec))).toEqual(
      expected instanceof RegExp ? expect.stringMatching(expected) : expected,
    );
  });
});

describe('a client with keys of its own (S32)', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  test.each<[string, unknown, string | RegExp]>([
    ['an RSA key', { ...rsaJwk(2048), kid: 'k', alg: 'PS256' }, 'accepted'],
    ['use: sig', { ...key, use: 'sig' }, 'accepted'],
    [
      'the private key',
      { ...privateKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256' },
      /holds a private or shared key/,
    ],
    ['a shared key', { kty: 'oct', k: 'aaaa', kid: 'k', alg: 'HS256' }, /holds a private or shared key/],
    ['an algorithm of another curve', { ...key, alg: 'ES384' }, /is no key for ES384/],
    ['an algorithm of another kind', { ...key, alg: 'RS256' }, /is no key for RS256/],
    ['no algorithm', { ...key, alg: undefined }, /jwks.keys\[0\].alg: write ES256/],
    ['alg none', { ...key, alg: 'none' }, /jwks.keys\[0\].alg: write ES256/],
    ['a shared algorithm', { ...key, alg: 'HS256' }, /jwks.keys\[0\].alg: write ES256/],
    ['no key ID', { ...key, kid: undefined }, /jwks.keys\[0\].kid: write a key ID/],
    ['a key ID of two lines', { ...key, kid: 'a\nb' }, /is no key ID/],
    ['an address to fetch from', { ...key, x5u: 'https://evil.example' }, /jwks.keys\[0\].x5u: there is no such field/],
    ['use: enc', { ...key, use: 'enc' }, /write sig, or leave it out/],
    ['a point that is not on its curve', { ...key, y: key.x }, /is no key that can be used/],
    ['a short RSA key', { ...rsaJwk(1024), kid: 'k', alg: 'RS256' }, /has 1024 bits/],
    [
      'an exponent by which anybody signs',
      { ...rsaJwk(2048), e: 'AQ', kid: 'k', alg: 'RS256' },
      /has another exponent/,
    ],
    ['the exponent 3', { ...rsaJwk(2048), e: 'Aw', kid: 'k', alg: 'RS256' }, /has another exponent/],
    ['EdDSA', { kty: 'OKP', crv: 'Ed25519', x: 'aaaa', kid: 'k', alg: 'EdDSA' }, /write an EC or RSA key/],
  ])('with %s', (_name, jwk, expected) => {
    const found = verdict(clientText('billing', { ...jwt, jwks: { keys: [jwk] } }));
    expect(found).toEqual(expected instanceof RegExp ? expect.stringMatching(expected) : expected);
  });

  test.each<[string, unknown, RegExp]>([
    ['none at all', undefined, /^spec: needs jwks/],
    ['an empty list', { keys: [] }, /jwks.keys: is empty/],
    [
      'one key ID twice',
      { keys: [key, { ...publicJwk(), kid: 'k1', alg: 'ES256' }] },
      /keys\[1\].kid: is the key ID of another/,
    ],
    ['eleven', { keys: Array.from({ length: 11 }, (_none, n) => ({ ...key, kid: `k${n}` })) }, /10 are enough/],
  ])('with %s', (_name, jwks, expected) => {
    expect(verdict(clientText('billing', { ...jwt, jwks }))).toMatch(expected);
  });

  test('has them ready to use, each with its own algorithm', () => {
    const { authentication } = read(clientText('billing', { ...jwt, jwks: { keys: [key] } })) as Client;
    expect(authentication).toMatchObject({
      kind: 'private-key-jwt',
      keys: [{ kid: 'k1', algorithm: 'ES256', thumbprint: expect.stringMatching(/^[\w-]{43}$/) }],
    });
  });

  test('has no jwks if it proves itself in another way', () => {
    expect(verdict(clientText('billing', { jwks: { keys: [key] } }))).toMatch(
      /^spec.jwks: is for authentication: private-key-jwt/,
    );
  });
});

describe('a name that could be taken for another (A71)', () => {
  test.each([
    ['Billing'],
    ['bіlling'], // Cyrillic і
    ['billing\u200b'],
    ['billi\u0301ng'],
    ['ｂilling'],
    ['billing '],
    ['billing/x'],
    [''],
    ['x'.repeat(129)],
    ['spiffe://shop.example/ns/default/sa/cаrt'], // Cyrillic а
    ['spiffe://shop.example//cart'],
    ['https://billing'],
  ])('%j is refused', (name) => {
    expect(verdict(clientText(name))).toMatch(/^metadata.name: is no (name|SPIFFE ID)/);
    if (!name.startsWith('https:'))
      expect(verdict(serviceText(name))).toMatch(/^metadata.name: is no (audience|SPIFFE ID)/);
  });

  test.each([
    ['cafe\u0301', /NFC/],
    ['caf\u00e9', 'accepted'],
    ['a\u202eb', /not seen/],
    ['a\u001b[2J', /not seen/],
    ['x'.repeat(1025), /too long/],
  ])('a description of %j is judged by what one sees', (description, expected) => {
    const found = verdict(clientText('billing', {}, { tenant: 'shop', description }));
    expect(found).toEqual(expected instanceof RegExp ? expect.stringMatching(expected) : expected);
    const label = verdict(serviceText('payments', {}, { tenant: 'shop', labels: { team: description } }));
    expect(label).toEqual(expected instanceof RegExp ? expect.stringMatching(expected) : expected);
  });
});

test.each<[Record<string, unknown>, string | RegExp]>([
  [{ tenant: 'shop' }, 'accepted'],
  [{ global: true }, 'accepted'],
  [{}, /^metadata.tenant: write the tenant it belongs to, or global: true/],
  [{ tenant: 'shop', global: true }, /^metadata.tenant: .* and not both/],
  [{ global: false }, /^metadata.global: write global: true, or leave it out/],
  [{ tenant: '*' }, /^metadata.tenant: is no name/],
  [{ tenant: 'Shop' }, /^metadata.tenant: is no name/],
])('a registration with %o, of one tenant or of all, is %s (S38)', (metadata, expected) => {
  for (const text of [clientText('billing', {}, metadata), serviceText('payments', {}, metadata)]) {
    expect(verdict(text)).toEqual(expected instanceof RegExp ? expect.stringMatching(expected) : expected);
  }
});

test('every problem of a file is told, with line, column and path', () => {
  const text = `apiVersion: eastwest.dev/v1
kind: Client
metadata: { name: billing, tenant: shop }
spec:
  authentication: client-secret
  grants: [client_credentials]
  access:
    - audience: payments
      scopes: [payments.read, "two words"]
  maxLifetime: 1d
---
apiVersion: v1
kind: Client
---
apiVersion: eastwest.dev/v1
kind: Clint
---
just text
`;
  const documents = readRegistrations(text, 'apps.yaml');
  expect(documents.ok ? [] : documents.reason).toMatchObject([
    { file: 'apps.yaml', line: 9, column: 31, path: 'spec.access[0].scopes[1]' },
    { line: 10, column: 3, path: 'spec.maxLifetime' },
    { line: 12, column: 1, path: 'apiVersion', problem: 'write eastwest.dev/v1' },
    { line: 16, column: 1, path: 'kind', problem: 'did you mean Client?' },
    { line: 18, column: 1, path: '', problem: expect.stringContaining('is no registration') },
  ]);
});

test.each([
  ['a key twice', 'kind: Client\nkind: Client', /is there twice/],
  ['an alias', 'a: &a 1\nb: *a', /is an alias/],
  ['one registration twice', `${clientText()}\n---\n${clientText()}`, /there are two of Client\/billing/],
  ['a megabyte', `# ${'x'.repeat(1_048_576)}`, /larger than 1 MiB/],
])('%s is refused', (_name, text, expected) => {
  expect(verdict(text)).toMatch(expected);
});
