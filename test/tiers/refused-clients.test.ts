import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startServingAgentProcess, type ServingAgentProcess } from '#support/serving-agent.ts';
import { lacks } from '#support/needs.ts';
import { lacksOpenssl3, runProgram } from '#support/programs.ts';
import {
  badLeaves,
  createTestCa,
  type CertificateRecipe,
  type TestAuthority,
  type TestCertificate,
} from '#support/test-ca.ts';

const what = 'openssl and curl with bad certificates';
const ask = 'GET / HTTP/1.1\r\nHost: prices\r\nConnection: close\r\n\r\n';
const nowMs = Date.now();
const hourMs = 3_600_000;

type Make = (ca: TestAuthority) => TestCertificate | undefined;
/** Row of attacks.md, what is wrong, who shows it, and the reason in our log: ours, or a name that OpenSSL has for it. */
type Row = readonly [row: string, name: string, make: Make, reason: string | readonly string[]];

const leaf =
  (recipe: CertificateRecipe): Make =>
  (ca) =>
    ca.leaf('cart', recipe);
const named = (...ids: readonly string[]): Make => leaf({ names: ids.map((text) => ({ kind: 'uri', text })) });
/** What Node calls a verdict of OpenSSL for which it has no name. */
const unnamed = 'UNSPECIFIED';
const cart = 'spiffe://shop.example/ns/default/sa/cart';

const rows: readonly Row[] = [
  ['A42', 'no certificate', () => undefined, 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE'],
  ['A42', 'no URI SAN', leaf(badLeaves['no URI SAN']), 'no-uri-san'],
  ['A42', 'a common name only', leaf({ names: [], subject: cart }), 'no-uri-san'],
  ['A42', 'two URI SANs', named(cart, 'spiffe://shop.example/ns/default/sa/orders'), 'several-uri-sans'],
  ['A42', 'the same URI SAN twice', named(cart, cart), 'several-uri-sans'],
  ['A42', 'an upper-case scheme', named(cart.replace('spiffe', 'SPIFFE')), 'bad-spiffe-id'],
  ['A42', 'an upper-case trust domain', named(cart.replace('shop', 'Shop')), 'bad-spiffe-id'],
  ['A42', 'a percent-encoded path', named(cart.replace('cart', 'c%61rt')), 'bad-spiffe-id'],
  ['A42', 'a trailing slash', named(`${cart}/`), 'bad-spiffe-id'],
  ['A42', 'a path with ..', named(cart.replace('default', '..')), 'bad-spiffe-id'],
  ['A42', 'a port', named(cart.replace('example', 'example:443')), 'bad-spiffe-id'],
  ['A42', 'user information', named(cart.replace('shop', 'me@shop')), 'bad-spiffe-id'],
  ['A42', 'a query', named(`${cart}?x=1`), 'bad-spiffe-id'],
  ['A42', '2,049 bytes', named(cart.padEnd(2_049, 'x')), 'bad-spiffe-id'],
  ['A78', 'a semicolon', named(`${cart};URI=spiffe://shop.example/ns/default/sa/admin`), 'bad-spiffe-id'],
  ['A78', 'a comma', named(`${cart},By=x`), 'bad-spiffe-id'],
  ['A78', 'a quote', named(`${cart}"`), 'bad-spiffe-id'],
  ['A78', 'an equals sign', named(`${cart}=x`), 'bad-spiffe-id'],
  ['A78', 'a line break', named(`${cart}\r\nx-admin: 1`), 'bad-spiffe-id'],
  ['A43', 'CA:TRUE', leaf(badLeaves['CA:TRUE']), 'leaf-is-ca'],
  ['A43', 'keyCertSign', leaf(badLeaves.keyCertSign), 'bad-key-usage'],
  ['A43', 'cRLSign', leaf(badLeaves.cRLSign), 'bad-key-usage'],
  ['A43', 'no key usage', leaf(badLeaves['no key usage']), 'bad-key-usage'],
  ['A43', 'no extended key usage', leaf(badLeaves['no extended key usage']), 'bad-extended-key-usage'],
  ['A43', 'the server purpose only', leaf(badLeaves['server purpose only']), 'INVALID_PURPOSE'],
  [
    'A43',
    'a broken signature',
    leaf(badLeaves['broken signature']),
    ['CERT_SIGNATURE_FAILURE', 'ERR_SSL_PROVIDER_SIGNATURE_FAILURE'],
  ],
  ['A43', 'an expired certificate', leaf({ notAfterMs: nowMs - 1_000 }), 'CERT_HAS_EXPIRED'],
  [
    'A43',
    'one not yet valid',
    leaf({ notBeforeMs: nowMs + hourMs, notAfterMs: nowMs + 2 * hourMs }),
    'CERT_NOT_YET_VALID',
  ],
  ['A43', 'inverted validity', leaf({ notBeforeMs: nowMs + hourMs, notAfterMs: nowMs - hourMs }), 'CERT_HAS_EXPIRED'],
  ['A43', 'another trust domain under our root', named(cart.replace('shop', 'bank')), 'other-trust-domain'],
  [
    'A43',
    'another trust domain of another root',
    () => createTestCa({ nowMs, trustDomain: 'bank.example' }).leaf('cart'),
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ],
  [
    'A43',
    'our trust domain of another root',
    () => createTestCa({ nowMs }).leaf('cart'),
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ],
  [
    'A43',
    'an issuer without CA:TRUE',
    (ca) => ca.intermediate({ basicConstraints: 'leaf' }).leaf('cart'),
    'INVALID_PURPOSE',
  ],
  ['A43', 'an issuer that may not sign', (ca) => ca.intermediate({ keyUsage: 0x80 }).leaf('cart'), unnamed],
  [
    'A43',
    'a path too long',
    (ca) => ca.intermediate({ subject: 'Upper' }).intermediate({ subject: 'Lower' }).leaf('cart'),
    'PATH_LENGTH_EXCEEDED',
  ],
  [
    'A43',
    'a name outside its issuer’s constraint',
    (ca) => ca.intermediate({ permittedUriHost: 'bank.example' }).leaf('cart'),
    unnamed,
  ],
];

describe.skipIf(lacks(what, 'openssl', 'curl') || lacksOpenssl3(what))(
  'refused at the handshake, and the app hears nothing',
  () => {
    let prices: ServingAgentProcess;

    beforeAll(async () => {
      prices = await startServingAgentProcess();
    });
    afterAll(() => prices[Symbol.asyncDispose]());

    test.each(rows)('%s: %s', async (_row, _name, make, reasons) => {
      const { agent, pem, ca, inbound, http } = prices;
      const client = make(ca);
      const told = agent.events.length;
      const [byCurl, byOpenssl] = await Promise.all([
        runProgram('curl', ['-sS', '-k', '--max-time', '5', ...pem.curl(client, ca), `${prices.url}/`]),
        runProgram(
          'openssl',
          [
            's_client',
            '-quiet',
            '-alpn',
            'http/1.1',
            '-connect',
            `127.0.0.1:${inbound.port}`,
            ...pem.openssl(client, ca),
          ],
          { input: ask },
        ),
      ]);
      expect(byCurl, 'curl').toMatchObject({ code: expect.toBeOneOf([16, 18, 35, 52, 55, 56, 92]), stdout: '' });
      expect(byOpenssl.stdout, 'openssl got no answer').toBe('');
      expect(byOpenssl.code, 'openssl was disconnected, and did not wait').not.toBe(-1);
      await vi.waitFor(() => expect(agent.events.slice(told), 'told once for each').toHaveLength(2));
      const reason: unknown = expect.toBeOneOf([reasons].flat());
      const refusal = { event: 'inbound.handshake-refused', reason };
      expect(agent.events.slice(told)).toMatchObject([refusal, refusal]);
      expect(http.seen).toEqual([]);
    });
  },
);
