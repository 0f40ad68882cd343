import { writeFileSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import * as oauth from 'oauth4webapi';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { identityOptions, type TlsIdentity } from '#proto/pinned-tls.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { freshFolder, type FreshFolder } from '#support/fresh-folder.ts';
import { clientText } from '#support/registrations.ts';
import { options, startTestControlPlane, type TestControlPlane } from '#support/start-control-plane.ts';
import { cartId, paymentsId, shopTexts } from '#support/sts-stage.ts';
import { createTestCa } from '#support/test-ca.ts';

const issuer = 'https://sts.shop.example';
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ca = createTestCa({ nowMs: systemClock.now() });
const web = ca.leaf('sts', { names: [{ kind: 'dns', text: 'sts.shop.example' }] });

let mesh: TestControlPlane;
let folder: FreshFolder;
let secret: string;
beforeEach(async () => {
  folder = freshFolder();
  const [certFile, keyFile] = [join(folder.path, 'c.pem'), join(folder.path, 'k.pem')];
  writeFileSync(certFile, web.chainPem);
  writeFileSync(keyFile, web.keyPem);
  mesh = await startTestControlPlane({ tokens: { issuer, listen: '127.0.0.1:0', certFile, keyFile } });
  const billing = clientText('billing', {
    access: [{ audience: 'ledger', scopes: ['ledger.write'] }],
    binding: 'none',
  });
  const files = [{ name: 'a.yaml', text: [...shopTexts, billing].join('\n---\n') }];
  const made = await mesh.admin.registry.register({ credential: '', files }, options);
  if (!made.ok || made.value.problems.length > 0) throw new Error(JSON.stringify(made));
  secret = made.value.documents.at(-1)?.secret ?? '';
});
afterEach(async () => {
  await mesh[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly identity?: TlsIdentity | undefined;
}
interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

function send(path: string, { method = 'GET', headers = {}, body, identity }: Sent = {}): Promise<Got> {
  const { promise, resolve, reject } = Promise.withResolvers<Got>();
  const client = identity === undefined ? {} : identityOptions(identity);
  const tls = { ca: ca.bundlePem, servername: 'sts.shop.example', ...client };
  const agent = new Agent({ keepAlive: false });
  const where = { host: '127.0.0.1', port: mesh.controlPlane.tokensPort, path, method, headers, agent, ...tls };
  const request = httpsRequest(where, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (part: string) => (text += part));
    response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
  });
  request.on('error', reject).end(body);
  return promise;
}

const form = { 'content-type': 'application/x-www-form-urlencoded' };
const post = (path: string, fields: Record<string, string> | string, more: Sent = {}): Promise<Got> => {
  const body = typeof fields === 'string' ? fields : new URLSearchParams(fields).toString();
  return send(path, { method: 'POST', body, ...more, headers: { ...form, ...more.headers } });
};
const json = ({ text }: Got) => JSON.parse(text) as Record<string, unknown> & { readonly error?: string };
const word = (got: Got): string => `${got.status} ${json(got).error ?? 'ok'}`;

describe('POST /token', () => {
  test('a workload gets a token by its SVID, and exchanges one by it (S12, S33, A29)', async () => {
    const [cart, payments] = [await mesh.join('cart'), await mesh.join('payments')];
    const asked = { grant_type: 'client_credentials', client_id: cartId, audience: paymentsId };
    const first = await post('/token', asked, { identity: cart });
    expect(json(first)).toMatchObject({ token_type: 'Bearer', expires_in: 300, issued_token_type: accessToken });
    expect(first.headers['cache-control']).toBe('no-store');
    const subject = { subject_token: String(json(first)['access_token']), subject_token_type: accessToken };
    const exchange = { grant_type: exchangeGrant, audience: 'ledger', ...subject };
    expect(word(await post('/token', exchange, { identity: payments }))).toBe('200 ok');
    expect(word(await post('/token', exchange, { identity: cart }))).toBe('400 invalid_request'); // A29
    const actor = { ...exchange, actor_token: 'x', actor_token_type: accessToken };
    expect(word(await post('/token', actor, { identity: payments }))).toBe('400 invalid_request'); // A31
  });

  test('a client gets one by its secret, in the header or the form; never by two proofs (S31, A33)', async () => {
    const asked = { grant_type: 'client_credentials', audience: 'ledger' };
    const basic = { authorization: `Basic ${Buffer.from(`billing:${secret}`).toString('base64')}` };
    const inForm = { ...asked, client_id: 'billing', client_secret: secret };
    expect(word(await post('/token', asked, { headers: basic }))).toBe('200 ok');
    expect(word(await post('/token', inForm))).toBe('200 ok');
    expect(word(await post('/token', inForm, { headers: basic }))).toBe('401 invalid_client');
    const wrong = { authorization: `Basic ${Buffer.from('billing:wrong').toString('base64')}` };
    const refused = await post('/token', asked, { headers: wrong });
    expect([word(refused), refused.headers['www-authenticate']]).toEqual([
      '401 invalid_client',
      'Basic realm="tokens"',
    ]);
    expect(word(await post('/token', { ...asked, client_id: cartId }))).toBe('401 invalid_client');
  });

  test.each([
    ['a parameter twice', () => post('/token', 'grant_type=client_credentials&audience=a&audience=b'), 400],
    ['audience and resource', () => post('/token', 'grant_type=client_credentials&audience=a&resource=b'), 400],
    ['a query', () => post('/token?grant_type=client_credentials', 'grant_type=client_credentials'), 400],
    ['GET', () => send('/token?grant_type=client_credentials'), 405],
    ['PUT', () => post('/token', '', { method: 'PUT' }), 405],
    [
      'JSON',
      () => send('/token', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }),
      415,
    ],
    ['no content type', () => send('/token', { method: 'POST', body: 'a=b' }), 415],
    ['33 KiB', () => post('/token', `a=${'x'.repeat(33 * 1024)}`), 413],
    ['an escape that is none', () => post('/token', 'grant_type=%zz'), 400],
    ['another grant', () => post('/token', 'grant_type=password'), 400],
    ['another path', () => send('/tokens'), 404],
  ] satisfies [string, () => Promise<Got>, number][])('%s is refused: %#  (A32)', async (_name, asking, status) => {
    expect((await asking()).status).toBe(status);
  });

  test('a certificate of somebody else is worth nothing, with a good secret too', async () => {
    const theirs = createTestCa({ nowMs: systemClock.now() }).leaf('cart');
    const cart = await mesh.join('cart');
    const identity = {
      svid: { ...cart.svid, chainDer: theirs.chainDer },
      privateKey: theirs.keys.privateKey,
    };
    const asked = { grant_type: 'client_credentials', audience: 'ledger', client_id: 'billing', client_secret: secret };
    expect(word(await post('/token', asked, { identity }))).toBe('401 invalid_client');
  });
});

test('POST /introspect: the audience sees all of it, others that it is not active, strangers nothing (A36)', async () => {
  const [cart, payments] = [await mesh.join('cart'), await mesh.join('payments')];
  const asked = { grant_type: 'client_credentials', audience: paymentsId };
  const token = String(json(await post('/token', asked, { identity: cart }))['access_token']);
  const look = async (identity?: TlsIdentity) => post('/introspect', { token }, { identity });
  expect(json(await look(payments))).toMatchObject({
    active: true,
    sub: cartId,
    cnf: { 'x5t#S256': expect.any(String) },
  });
  expect(json(await look(cart))).toEqual({ active: false });
  expect(word(await look())).toBe('401 invalid_client');
  expect((await post('/revoke', { token }, { identity: cart })).status).toBe(200);
  expect(json(await look(payments))).toEqual({ active: false });
});

test('GET /jwks: public keys for everybody, with a time to keep them and an ETag (S68, S72)', async () => {
  const keys = await send('/jwks');
  expect(keys).toMatchObject({ status: 200, headers: { 'cache-control': 'public, max-age=300' } });
  expect(json(keys)['keys']).toHaveLength(2);
  expect(keys.text).not.toContain('"d"');
  const again = await send('/jwks', { headers: { 'if-none-match': String(keys.headers['etag']) } });
  expect([again.status, again.text]).toEqual([304, '']);
  const documents = await Promise.all(
    ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'].map((path) => send(path)),
  );
  for (const document of documents) expect(json(document)).toMatchObject({ issuer, jwks_uri: `${issuer}/jwks` });
});

test('oauth4webapi finds everything, gets a token, and has it introspected as not its own (S14, S72)', async () => {
  const through = async (
    url: string,
    init: { method?: string; headers?: unknown; body?: URLSearchParams | null },
  ): Promise<Response> => {
    const headers = Object.fromEntries(new Headers(init.headers as Record<string, string>));
    const body = init.body?.toString();
    const sent = { method: init.method ?? 'GET', headers, ...(body === undefined ? {} : { body }) };
    const got = await send(new URL(url).pathname, sent);
    return new Response(got.text, {
      status: got.status,
      headers: { 'content-type': String(got.headers['content-type']) },
    });
  };
  const custom = { [oauth.customFetch]: through as never };
  const at = new URL(issuer);
  const found = await oauth.discoveryRequest(at, { algorithm: 'oauth2', ...custom });
  const server = await oauth.processDiscoveryResponse(at, found);
  const client = { client_id: 'billing' };
  const proof = oauth.ClientSecretBasic(secret);
  const asked = new URLSearchParams({ audience: 'ledger', scope: 'ledger.write' });
  const answer = await oauth.clientCredentialsGrantRequest(server, client, proof, asked, custom);
  const { access_token: token, scope } = await oauth.processClientCredentialsResponse(server, client, answer);
  expect(scope).toBe('ledger.write');
  const looked = await oauth.introspectionRequest(server, client, proof, token, custom);
  expect(await oauth.processIntrospectionResponse(server, client, looked)).toEqual({ active: false });
});
