import { describe, expect, test } from 'vitest';
import * as messages from '#proto/messages.ts';
import * as tables from '#proto/tables.ts';
import * as tokens from '#proto/token-messages.ts';
import { decode, encode, type Encodable } from '#proto/wire.ts';

const words = (result: { ok: true } | { ok: false; reason: string }): string =>
  result.ok ? 'accepted' : result.reason;
const issuer = { issuer: 'https://sts.example', jwks: '{"keys":[]}', version: 1 };
const issued = {
  kind: 'issued',
  token: 'a.b.c',
  issuedTokenType: 'urn:ietf:params:oauth:token-type:access_token',
  scopes: ['prices.read'],
  issuedAtMs: 1_000,
  expiresAtMs: 301_000,
} as const;

describe('keys of token issuers', () => {
  test('are read as they were written', () => {
    const push = { kind: 'token-keys', version: 3, issuers: [issuer, { ...issuer, issuer: 'b', version: 9 }] } as const;
    expect(messages.parseWatchResponse(messages.encodeWatchResponse(push))).toEqual({ ok: true, value: push });
  });

  test.each([
    ['none', [], 'accepted'],
    ['16', Array.from({ length: 16 }, (_none, index) => ({ ...issuer, issuer: `https://${index}` })), 'accepted'],
    [
      '17',
      Array.from({ length: 17 }, (_none, index) => ({ ...issuer, issuer: `https://${index}` })),
      'bad-token-issuer',
    ],
    ['one twice', [issuer, { ...issuer, version: 2 }], 'bad-token-issuer'],
    ['one without a name', [{ ...issuer, issuer: '' }], 'bad-token-issuer'],
    ['one with a long name', [{ ...issuer, issuer: 'x'.repeat(2049) }], 'bad-token-issuer'],
    ['one with 64 KiB and a letter', [{ ...issuer, jwks: 'x'.repeat(65_537) }], 'bad-token-issuer'],
    ['one of no version', [{ ...issuer, version: 0 }], 'bad-token-issuer'],
  ] satisfies [string, Encodable<typeof tables.tokenIssuer>[], string][])('of %s: %s', (_name, issuers, expected) => {
    const bytes = encode(tables.watchResponse, { version: 1, tokenKeys: { issuers } });
    expect(words(messages.parseWatchResponse(bytes))).toBe(expected);
  });

  test('are a kind of tomorrow for an agent that knows none: it says so, by the version', () => {
    const bytes = messages.encodeWatchResponse({ kind: 'token-keys', version: 7, issuers: [issuer] });
    const { tokenKeys: _unknown, ...older } = tables.watchResponse;
    const read = decode(older, bytes);
    expect(read).toMatchObject({ ok: true, value: { version: 7, policies: undefined, settings: undefined } });
    expect(messages.versionOfWatchResponse(bytes)).toBe(7);
  });
});

describe('an exchange', () => {
  const request = {
    audience: 'spiffe://shop.example/ns/default/sa/prices',
    scopes: ['prices.read', 'prices.list'],
    subjectToken: 'a.b.c',
    subjectTokenType: 'urn:ietf:params:oauth:token-type:access_token',
    requestedTokenType: '',
  };

  test('is read as it was asked for', () => {
    expect(tokens.parseExchangeTokenRequest(tokens.encodeExchangeTokenRequest(request))).toEqual({
      ok: true,
      value: request,
    });
  });

  test.each([issued, { kind: 'refused', error: 'invalid_scope', description: 'not registered there' } as const])(
    'that is $kind is read as it was answered',
    (response) => {
      const bytes = tokens.encodeExchangeTokenResponse(response);
      expect(tokens.parseExchangeTokenResponse(bytes)).toEqual({ ok: true, value: response });
    },
  );

  const { kind: _issued, ...fields } = issued;
  test.each([
    ['a token', fields, 'accepted'],
    ['nothing', {}, 'bad-token'],
    ['a token of 8 KiB and a letter', { ...fields, token: 'x'.repeat(8193) }, 'bad-token'],
    ['257 scopes', { ...fields, scopes: Array.from({ length: 257 }, () => 'a') }, 'bad-token'],
    ['a token of no time', { ...fields, issuedAtMs: 0 }, 'bad-token'],
    ['a token that has expired when it is issued', { ...fields, expiresAtMs: 1_000 }, 'bad-token'],
    ['an error', { error: 'invalid_target' }, 'accepted'],
    ['an error and a token', { ...fields, error: 'invalid_target' }, 'bad-token-error'],
    ['an error that is no word', { error: 'invalid target\n' }, 'bad-token-error'],
  ] satisfies [string, Encodable<typeof tables.exchangeTokenResponse>, string][])(
    'with the answer of %s is %s',
    (_name, message, expected) => {
      expect(words(tokens.parseExchangeTokenResponse(encode(tables.exchangeTokenResponse, message)))).toBe(expected);
    },
  );

  test('with a long description is cut', () => {
    const bytes = tokens.encodeExchangeTokenResponse({ kind: 'refused', error: 'a', description: 'x'.repeat(900) });
    expect(tokens.parseExchangeTokenResponse(bytes)).toMatchObject({ value: { description: 'x'.repeat(500) } });
  });
});
