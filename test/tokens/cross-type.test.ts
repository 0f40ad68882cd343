import { describe, expect, test } from 'vitest';
import { verifyAccessToken } from '#tokens/access-token.ts';
import { verifyClientAssertion } from '#tokens/client-assertion.ts';
import { verifyDpopProof } from '#tokens/dpop.ts';
import { verifyJwtSvid } from '#tokens/jwt-svid.ts';
import { verifyTxnToken } from '#tokens/txn-token.ts';
import { verifyWit } from '#tokens/wit.ts';
import { verifyWpt } from '#tokens/wpt.ts';
import {
  assertion,
  assertionRules,
  dpop,
  dpopRules,
  idToken,
  jwtSvid,
  jwtSvidRules,
  target,
  txnRules,
  txnToken,
  wit,
  witRules,
  witText,
  wpt,
  wptRules,
  type Changes,
} from '#support/token-kinds.ts';
import { accessToken, audience, cart, issuer, prices, rules, sts, verdict } from '#support/tokens.ts';

const tokens: Readonly<Record<string, (changes?: Changes) => string>> = {
  'access token': accessToken,
  'JWT-SVID': jwtSvid,
  WIT: (changes) => (changes ? wit(changes) : witText),
  WPT: wpt,
  'DPoP proof': dpop,
  'client assertion': assertion,
  'transaction token': txnToken,
  'ID token': idToken,
};

const verifiers: Readonly<Record<string, (text: string, aud?: string) => string>> = {
  'access token': (text, aud = prices) => verdict(verifyAccessToken(text, rules({ audience: audience(aud) }))),
  'JWT-SVID': (text, aud = prices) => verdict(verifyJwtSvid(text, { ...jwtSvidRules, audience: audience(aud) })),
  WIT: (text) => verdict(verifyWit(text, witRules)),
  WPT: (text, aud = target) => verdict(verifyWpt([text], wptRules({ audience: audience(aud) }))),
  'DPoP proof': (text) => verdict(verifyDpopProof([text], dpopRules)),
  'client assertion': (text, aud = sts) =>
    verdict(verifyClientAssertion(text, { ...assertionRules, issuer: audience(aud) })),
  'transaction token': (text, aud = 'shop.example') =>
    verdict(verifyTxnToken(text, { ...txnRules, trustDomain: audience(aud) })),
};

const pairs = Object.keys(verifiers).flatMap((asked) => Object.keys(tokens).map((shown) => [shown, asked] as const));

describe('A16: each kind is accepted by its own verifier alone', () => {
  test.each(pairs)('%s shown as %s', (shown, asked) => {
    const text = tokens[shown]?.() ?? '';
    expect(verifiers[asked]?.(text) === 'accepted').toBe(shown === asked);
  });

  // Should an issuer be made to say anything, then the type still tells them apart: but for JWT-SVID and client assertion.
  const superset = {
    iss: sts,
    sub: cart,
    aud: prices,
    client_id: cart,
    txn: 't',
    scope: 'a',
    req_wl: cart,
    htm: 'POST',
    htu: target,
  };
  const others = pairs.filter(
    ([shown, asked]) => shown !== asked && `${shown} ${asked}` !== 'client assertion JWT-SVID',
  );
  test.each(others)('%s with the claims of all kinds shown as %s', (shown, asked) => {
    const text = tokens[shown]?.({ claims: superset }) ?? '';
    expect(verifiers[asked]?.(text, prices)).not.toBe('accepted');
  });

  test('JWT-SVID and client assertion share a type: who names itself is a client, who does not is a workload', () => {
    const claims = { aud: sts, iss: cart, jti: 'a1' };
    expect(verifiers['JWT-SVID']?.(jwtSvid({ claims }), sts)).toBe('bad-iss');
    expect(verifiers['client assertion']?.(jwtSvid({ claims: { ...claims, iss: undefined } }))).toBe('missing-iss');
  });

  test('an ID token of an issuer whose access tokens are typ JWT', () => {
    const old = issuer({ typ: 'JWT', subjects: { trustDomains: [], ownNames: 'accept' } });
    const check = rules({ audience: audience('app-1') }, old);
    const claims = { client_id: 'app-1', jti: 'j' };
    expect(verdict(verifyAccessToken(idToken({ claims }), check))).toBe('wrong-typ');
  });
});
