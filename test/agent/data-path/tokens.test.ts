import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { http2Client } from '#support/h2-apps.ts';
import { send } from '#support/pair-world.ts';
import {
  bearer,
  lastDenied,
  portToken,
  startTokenPort,
  trustedKeys,
  type TokenChanges,
  type TokenPortOptions,
} from '#support/port-tokens.ts';
import { gone } from '#support/pushed-policies.ts';
import { assertion, dpop, idToken, jwtSvid, txnToken, wit, wpt } from '#support/token-kinds.ts';
import { encode, newKey, stsKey } from '#support/tokens.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

const start = (options?: TokenPortOptions) => startTokenPort(world, options);

const challenge = 'Bearer error="invalid_token"';
const other = newKey();
const long = 'a'.repeat(10_000);
const now = Math.floor(Date.now() / 1_000);

describe('a port that requires a token', () => {
  test('admits whoever shows a good one of its own, and the app gets nothing of it', async () => {
    const { port, heard, token, prices } = await start();
    const headers = { ...bearer(token()), 'x-eastwest-token-claims': 'forged', x_eastwest_token_claims: 'forged' };
    expect((await send(port, { headers })).status).toBe(200);
    expect(heard[0]?.headers.authorization).toBeUndefined();
    expect(heard[0]?.raw.join().toLowerCase(), 'A48').not.toContain('claims');
    expect(heard[0]?.headers['x-forwarded-client-cert']).toContain('sa/cart');
    expect(prices.counters.tokensVerified).toBe(1);
  });

  test('a token that was seen is not verified again (S76), and one that repeats its head costs nothing', async () => {
    const { port, token, prices } = await start();
    const good = token();
    for (let n = 0; n < 5; n += 1) expect((await send(port, { headers: bearer(good) })).status).toBe(200);
    expect((await send(port, { path: '/another', headers: bearer(good) })).status).toBe(200);
    expect(prices.counters.tokensVerified).toBe(1);
  });

  const signed = (changes: TokenChanges) => (token: (changes?: TokenChanges) => string) => token(changes);
  const claims = (changed: object) => signed({ claims: changed });
  test.each<[row: string, reason: string, make: (token: (changes?: TokenChanges) => string) => string]>([
    [
      'A1 alg none',
      'alg-not-allowed',
      (token) => `${encode({ alg: 'none', typ: 'at+jwt', kid: stsKey.kid })}.${token().split('.')[1]}.`,
    ],
    ['A2 HMAC with the public key', 'alg-not-allowed', signed({ header: { alg: 'HS256' } })],
    ['A3 another algorithm than the key’s', 'alg-not-allowed', signed({ header: { alg: 'ES384' } })],
    ['A4 a kid that is a path', 'unknown-kid', signed({ header: { kid: '../../etc/passwd\u0000' } })],
    ['A4 __proto__ as kid', 'unknown-kid', signed({ header: { kid: '__proto__' } })],
    ['A4 a long kid', 'too-large', signed({ header: { kid: long } })],
    ['A7 jku', 'header-not-allowed', signed({ header: { jku: 'https://127.0.0.1:1/keys' } })],
    ['A7 jwk', 'header-not-allowed', signed({ header: { jwk: other.publicJwk }, key: other })],
    ['A8 crit', 'critical-header', signed({ header: { crit: ['exp'] } })],
    [
      'A9 a name twice',
      'malformed',
      (token) => `${encode('{"alg":"ES256","alg":"none"}')}.${token().split('.').slice(1).join('.')}`,
    ],
    ['A11 two parts', 'malformed', (token) => token().split('.').slice(0, 2).join('.')],
    ['A11 padding', 'malformed', (token) => `${token()}=`],
    ['a signature of another key', 'bad-signature', signed({ key: other, header: { kid: stsKey.kid } })],
    ['S47 no audience', 'missing-aud', claims({ aud: undefined })],
    ['A12 two audiences', 'bad-aud', claims({ aud: ['spiffe://test.example/ns/default/sa/prices', 'b'] })],
    ['A12 everybody', 'wrong-audience', claims({ aud: '*' })],
    ['A12 a slash more', 'wrong-audience', claims({ aud: 'spiffe://test.example/ns/default/sa/prices/' })],
    ['S48 for somebody else', 'wrong-audience', claims({ aud: 'spiffe://test.example/ns/default/sa/orders' })],
    ['A13, S71 an issuer that nobody named', 'unknown-issuer', claims({ iss: 'https://sts.shop.example/' })],
    ['A14 a subject of another domain', 'wrong-subject', claims({ sub: 'spiffe://evil.example/ns/default/sa/cart' })],
    ['A15, S47 no end', 'missing-exp', claims({ exp: undefined })],
    ['A15 an end in text', 'bad-exp', claims({ exp: '2000000000' })],
    ['S47 expired', 'expired', claims({ iat: now - 600, nbf: now - 600, exp: now - 400 })],
    ['S47 not yet', 'not-yet-valid', claims({ nbf: now + 200 })],
    ['S47 from the future', 'issued-in-the-future', claims({ iat: now + 100 })],
    ['S51 for a day', 'lifetime-too-long', claims({ exp: now + 86_400 })],
    ['A16 a JWT-SVID', 'missing-iss', () => jwtSvid()],
    ['A16 a WIT', 'wrong-typ', () => wit()],
    ['A16 a WPT', 'wrong-typ', () => wpt()],
    ['A16 an ID token', 'wrong-typ', () => idToken()],
    ['A16 a transaction token', 'wrong-typ', () => txnToken()],
    ['A16 a client assertion', 'unknown-issuer', () => assertion()],
    ['A19 a DPoP proof', 'header-not-allowed', () => dpop()],
    [
      'A19 a DPoP-bound token as bearer',
      'no-dpop-proof',
      claims({ cnf: { jkt: Buffer.alloc(32, 1).toString('base64url') } }),
    ],
    [
      'A17 bound to another certificate',
      'other-certificate',
      claims({ cnf: { 'x5t#S256': Buffer.alloc(32, 1).toString('base64url') } }),
    ],
    ['bound to nobody', 'not-bound', claims({ cnf: undefined })],
  ])('A27: refuses %s with the same words, and logs `%s`', async (_, reason, make) => {
    const { port, token, heard, prices } = await start();
    const text = make(token);
    const refused = await send(port, { headers: { ...bearer(text), 'x-forwarded-client-cert': 'Hash=00' } });
    const decisionId = String(refused.headers['x-eastwest-decision']);
    expect(refused.status).toBe(401);
    expect(refused.headers['www-authenticate']).toBe(challenge);
    expect(JSON.parse(refused.body)).toEqual({ status: 401, title: 'A valid access token is needed here', decisionId });
    expect(lastDenied({ prices })).toMatchObject({ reason: 'token-refused', token: reason, decisionId });
    if (text.length < 4_096) {
      const explained = { reason: 'token-refused', token: reason, explanation: { verdict: 'deny' } };
      expect(prices.decision(decisionId)).toMatchObject(explained); // of longer heads nothing is kept
    }
    expect([...prices.counters.tokenRefusals.entries()]).toEqual([[reason, 1]]);
    expect(heard).toEqual([]);
    expect(JSON.stringify([prices.events, prices.lines]), 'A39').not.toContain(text.slice(-40));
  });

  test.each<[string, Record<string, string | string[]>, string]>([
    ['no token', {}, 'no-header'],
    ['a password', { authorization: 'Basic YTpi' }, 'other-scheme'],
    ['two headers', { authorization: ['Bearer a', 'Bearer b'] }, 'several-headers'],
  ])('refuses %s like any bad token', async (_, headers, reason) => {
    const { port, prices } = await start();
    const sent = request({ port, host: '127.0.0.1', headers: headers as Record<string, string> });
    if (Array.isArray(headers['authorization'])) sent.setHeader('authorization', headers['authorization']);
    sent.end();
    const [reply] = (await once(sent, 'response')) as [IncomingMessage];
    expect([reply.statusCode, reply.headers['www-authenticate']]).toEqual([401, challenge]);
    expect(lastDenied({ prices })).toMatchObject({ reason: 'token-refused', token: reason });
    reply.resume();
  });

  test('A17: a token of a certificate that was replaced is refused on the connection of the new one', async () => {
    const { port, token, cart, prices } = await start();
    const old = token();
    expect((await send(port, { headers: bearer(old) })).status).toBe(200);
    await cart.rotate();
    const fresh = token();
    let status = 0;
    for (let n = 0; n < 50 && status !== 200; n += 1) ({ status } = await send(port, { headers: bearer(fresh) }));
    expect(status, 'the certificate that was proved last').toBe(200);
    expect((await send(port, { headers: bearer(old) })).status).toBe(401);
    expect(lastDenied({ prices })).toMatchObject({ token: 'other-certificate' });
  });

  test('S87: says so before a byte of the body is read, to HTTP/2 too', async () => {
    const { port } = await start({ protocol: 'auto' });
    const session = http2Client(port);
    world.onEnd(() => session.destroy());
    const stream = session.request({ ':method': 'POST', ':path': '/', 'content-length': '1000000000' });
    stream.on('error', () => undefined).write(Buffer.alloc(100_000));
    const [headers] = (await once(stream, 'response')) as [Record<string, string>];
    expect(headers).toMatchObject({ ':status': 401, 'www-authenticate': challenge });
  });

  test('S45: takes none in plaintext, good or not', async () => {
    const listen = { host: '127.0.0.1', port: 0 };
    const { prices, token, heard } = await start({ listen, mode: 'PERMISSIVE' });
    prices.push(`apiVersion: eastwest.dev/v1
kind: AuthorizationPolicy
metadata: { namespace: default, name: open }
spec: { allow: all }`);
    const [own] = prices.inbound.ports;
    for (const [headers, reason] of [
      [bearer(token()), 'sent-in-plaintext'],
      [bearer(token({ claims: { cnf: undefined } })), 'sent-in-plaintext'],
      [{}, 'no-header'],
    ] as const) {
      expect((await send(own!.address.port, { headers })).status).toBe(401);
      expect(lastDenied({ prices })).toMatchObject({ token: reason });
    }
    expect(heard).toEqual([]);
  });

  test('opaque bytes, which bring none, do not get in where the protocol is found out', async () => {
    const app = await world.tcpApp((socket) => socket.end('hello'));
    const { port, prices } = await world.pair(app, { protocol: 'auto', token: portToken() });
    prices.useTokenKeys(trustedKeys());
    const raw = await import('node:net').then(({ connect }) => connect({ port, host: '127.0.0.1' }));
    raw.write(Buffer.from([0, 1, 2, 3, 4, 5, 6, 7]));
    await gone(raw);
    expect(lastDenied({ prices })).toMatchObject({ reason: 'token-refused', token: 'no-header' });
  });
});
