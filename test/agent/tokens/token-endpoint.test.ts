import { writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { tokenEndpointExchange } from '#agent/tokens/token-endpoint.ts';
import { tokenWish } from '#agent/tokens/token-wish.ts';
import { createTestDomain } from '#support/identities.ts';
import { freshFolder } from '#support/fresh-folder.ts';
import { createTestCa } from '#support/test-ca.ts';
import { audience } from '#support/tokens.ts';

const domain = await createTestDomain();
const identity = await domain.identity('cart', 60_000);
const ca = createTestCa({ nowMs: Date.now() });
const shown = ca.leaf('sts', { names: [{ kind: 'dns', text: 'localhost' }] });
const wish = tokenWish(audience(domain.spiffeId('prices')), { issuer: 'other', scopes: ['b', 'a'] });
const closing: (() => void)[] = [];
afterEach(() => closing.splice(0).forEach((close) => close()));

interface Asked {
  readonly form: Record<string, string>;
  readonly fingerprint: string;
  readonly method: string | undefined;
}

async function endpoint(answer: { status?: number; body?: string; headers?: object } | 'silent') {
  const asked: Asked[] = [];
  const options = { cert: shown.chainPem, key: shown.keyPem, requestCert: true, rejectUnauthorized: false };
  const server = createServer(options, (request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => (body += piece.toString()));
    request.on('end', () => {
      const { fingerprint256 } = (request.socket as TLSSocket).getPeerCertificate();
      const fingerprint = fingerprint256.replaceAll(':', '').toLowerCase();
      asked.push({ form: Object.fromEntries(new URLSearchParams(body)), fingerprint, method: request.method });
      if (answer === 'silent') return;
      response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers });
      response.end(answer.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const folder = freshFolder();
  closing.push(() => void folder[Symbol.asyncDispose]());
  const caPath = join(folder.path, 'ca.pem');
  writeFileSync(caPath, ca.bundlePem);
  const { port } = server.address() as AddressInfo;
  return { asked, config: { name: 'other', url: `https://localhost:${port}/token`, caPath } };
}

const options = { deadlineMs: 1_000, signal: new AbortController().signal };
const good = JSON.stringify({ access_token: 'abc', token_type: 'Bearer', expires_in: 300 });

test('is asked as RFC 6749 says, by our certificate and name, for one audience (S26)', async () => {
  const { asked, config } = await endpoint({ body: good });
  expect(await tokenEndpointExchange(config)(identity, wish, options)).toEqual({
    ok: true,
    value: { text: 'abc', lifeMs: 300_000 },
  });
  expect(asked).toEqual([
    {
      method: 'POST',
      fingerprint: identity.svid.thumbprint,
      form: {
        grant_type: 'client_credentials',
        client_id: identity.svid.spiffeId,
        resource: wish.audience,
        scope: 'a b',
      },
    },
  ]);
});

test('a name that is no URI is an audience', async () => {
  const { asked, config } = await endpoint({ body: good });
  const named = tokenWish(audience('prices'), { issuer: 'other', scopes: [] });
  await tokenEndpointExchange(config)(identity, named, options);
  expect(asked[0]?.form).toMatchObject({ audience: 'prices' });
});

describe('its refusal is told in its own word', () => {
  test.each([
    [400, '{"error":"invalid_target"}', 'invalid_target'],
    [401, '{"error":"invalid_client"}', 'invalid_client'],
    [400, '{"error":"eyJhbGciOi.secret"}', 'unreadable'],
    [400, 'no JSON', 'unreadable'],
  ])('%i %s', async (status, body, refused) => {
    const { config } = await endpoint({ status, body });
    expect(await tokenEndpointExchange(config)(identity, wish, options)).toEqual({ ok: false, reason: { refused } });
  });
});

describe('what is no answer is a fault', () => {
  test.each<[string, Parameters<typeof endpoint>[0]]>([
    ['silence', 'silent'],
    ['a redirect, which is not followed (A65)', { status: 307, headers: { location: 'https://localhost:1/' } }],
    ['a broken server', { status: 500, body: good }],
    ['no JSON', { body: 'hello' }],
    ['a name twice', { body: '{"access_token":"a","access_token":"b","expires_in":1}' }],
    ['no lifetime', { body: '{"access_token":"a"}' }],
    ['too long an answer', { body: `{"access_token":"${'a'.repeat(100_000)}","expires_in":1}` }],
  ])('%s', async (_what, answer) => {
    const { config } = await endpoint(answer);
    const asking = tokenEndpointExchange(config)(identity, wish, { ...options, deadlineMs: 300 });
    await expect(asking).rejects.toMatchObject({ code: 'TOKEN_ENDPOINT_UNREACHABLE' });
  });

  test('a server that does not stand in the roots', async () => {
    const { asked, config } = await endpoint({ body: good });
    const asking = tokenEndpointExchange({ ...config, caPath: undefined })(identity, wish, options);
    await expect(asking).rejects.toMatchObject({ code: 'TOKEN_ENDPOINT_UNREACHABLE' });
    expect(asked).toEqual([]);
  });
});
