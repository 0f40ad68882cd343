import { describe, expect, test } from 'vitest';
import { systemClock } from '#runtime/system-clock.ts';
import { startFakeControlPlane } from '#support/fake-control-plane.ts';
import { clientOf, identityOf } from '#support/mesh-clients.ts';

const nowMs = systemClock.now();
const options = { deadlineMs: 5000, signal: new AbortController().signal };

describe('an exchange of tokens', () => {
  const exchange = {
    audience: 'payments',
    scopes: ['payments.read'],
    subjectToken: '',
    subjectTokenType: '',
    requestedTokenType: '',
  };

  test('carries the request, the caller’s SVID and the answer', async () => {
    await using fake = await startFakeControlPlane();
    const identity = await identityOf(fake.ca);
    using client = clientOf(fake, { identity });
    const issued = {
      kind: 'issued',
      token: 'a.b.c',
      issuedTokenType: 'urn:ietf:params:oauth:token-type:access_token',
      scopes: exchange.scopes,
      issuedAtMs: nowMs,
      expiresAtMs: nowMs + 300_000,
    } as const;
    fake.exchangeBy(() => Promise.resolve({ ok: true, value: issued }));
    expect(await client.exchangeToken(exchange, options)).toEqual({ ok: true, value: issued });
    expect(fake.exchangeCalls).toMatchObject([
      { request: exchange, peer: { kind: 'svid', svid: { thumbprint: identity.svid.thumbprint } } },
    ]);
  });

  test('without an SVID is an anonymous one, and its refusal is an answer', async () => {
    await using fake = await startFakeControlPlane();
    using client = clientOf(fake);
    expect(await client.exchangeToken(exchange, options)).toEqual({
      ok: true,
      value: { kind: 'refused', error: 'invalid_client', description: 'not registered' },
    });
    expect(fake.exchangeCalls).toMatchObject([{ peer: { kind: 'anonymous' } }]);
  });
});
