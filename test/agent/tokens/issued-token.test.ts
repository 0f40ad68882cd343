import { expect, test } from 'vitest';
import { readIssuedToken } from '#agent/tokens/issued-token.ts';
import { tokenWish } from '#agent/tokens/token-wish.ts';
import { audience, forge, newKey } from '#support/tokens.ts';

const key = newKey();
const thumbprint = 'ab'.repeat(32);
const x5t = (hex: string) => ({ 'x5t#S256': Buffer.from(hex, 'hex').toString('base64url') });
const wish = tokenWish(audience('prices'), { issuer: undefined, scopes: [] });
const tokenWith = (claims: object): string =>
  forge({ header: { alg: 'ES256', typ: 'at+jwt' }, claims }, key.privateKey);
const asked = { thumbprint, atMs: 1_000_000, random: 0.5 };
const good = { aud: 'prices', cnf: x5t(thumbprint) };
const jkt = x5t(thumbprint)['x5t#S256'];

test.each<[string, string, number, string]>([
  ['for us and bound to our certificate', tokenWith(good), 300_000, 'kept'],
  ['bound to nobody, by an issuer that does not bind', tokenWith({ aud: 'prices' }), 300_000, 'kept'],
  ['for somebody else (S49)', tokenWith({ ...good, aud: 'orders' }), 300_000, 'wrong-audience'],
  ['for two (A12)', tokenWith({ ...good, aud: ['prices', 'orders'] }), 300_000, 'wrong-audience'],
  ['for nobody', tokenWith({ cnf: good.cnf }), 300_000, 'wrong-audience'],
  ['bound to another certificate', tokenWith({ ...good, cnf: x5t('cd'.repeat(32)) }), 300_000, 'other-certificate'],
  ['bound to a key that we do not have', tokenWith({ ...good, cnf: { jkt } }), 300_000, 'other-certificate'],
  ['no token', 'hello', 300_000, 'malformed'],
  ['a token and a line break', `${tokenWith(good)}\r\nx: y`, 300_000, 'malformed'],
  ['over already', tokenWith(good), 0, 'no-life'],
  ['for ever', tokenWith(good), Infinity, 'no-life'],
])('an answer that is %s', (_what, text, lifeMs, expected) => {
  const read = readIssuedToken({ text, lifeMs }, wish, asked);
  expect(read.ok ? 'kept' : read.reason).toBe(expected);
});

test('its times count from our question, and it is not used in its last second', () => {
  const read = readIssuedToken({ text: tokenWith(good), lifeMs: 300_000 }, wish, asked);
  expect(read).toMatchObject({ value: { issuedAtMs: 1_000_000, dueAtMs: 1_210_000, usableUntilMs: 1_299_000 } });
});
