import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { clientText, serviceText } from '#support/registrations.ts';
import { asked, openStsStage, type StsStage } from '#support/sts-stage.ts';
import { readKeySet } from '#tokens/jwks.ts';
import { toSigningKey, writeKeySet } from '#tokens/signing-key.ts';

const address = '127.0.0.1:40000';
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
const key = toSigningKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
const anonymous = { svid: undefined, address };

function signed(typ: string, claims: object): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const input = `${encode({ alg: 'ES256', typ, kid: key.kid })}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(input), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

describe('a client with a key of its own', () => {
  const access = [{ audience: 'ledger', scopes: ['ledger.write'] }];
  const spec = { authentication: 'private-key-jwt', binding: 'none', access, jwks: { keys: [key.publicJwk] } };

  async function ask(stage: StsStage, changes: object = {}): Promise<string> {
    const now = Math.floor(stage.registry.clock.now() / 1000);
    const own = { iss: 'reports', sub: 'reports', aud: stage.sts.issuer, iat: now, exp: now + 60, jti: 'one' };
    const assertion = signed('JWT', { ...own, ...changes });
    const credentials = { kind: 'assertion', clientId: 'reports', assertion } as const;
    const answer = await stage.sts.issue(asked({ audience: 'ledger', credentials, binding: 'registered' }), anonymous);
    return answer.ok ? 'issued' : answer.reason.error;
  }

  test.each([
    ['a good assertion', {}, 'issued'],
    ['the URL of the endpoint as its audience', { aud: 'https://sts.shop.example/token' }, 'invalid_client'],
    ['a list as its audience', { aud: ['https://sts.shop.example'] }, 'invalid_client'],
    ['a year to live', { exp: 1_800_000_000 + 31_536_000 }, 'invalid_client'],
    ['another name', { sub: 'billing' }, 'invalid_client'],
    ['no jti', { jti: undefined }, 'invalid_client'],
  ])('and %s (S32, A34)', async (_name, changes, expected) => {
    const stage = await openStsStage();
    await stage.registry.register([clientText('reports', spec)]);
    expect(await ask(stage, changes)).toBe(expected);
  });

  test('proves itself by each assertion once (S32, A34)', async () => {
    const stage = await openStsStage();
    await stage.registry.register([clientText('reports', spec)]);
    expect([await ask(stage), await ask(stage), await ask(stage, { jti: 'two' })]).toEqual([
      'issued',
      'invalid_client',
      'issued',
    ]);
    expect(stage.sts.counts().refused).toEqual({ 'assertion-replayed': 1 });
  });

  test('counts only on a connection of its source identities, where it has some', async () => {
    const stage = await openStsStage();
    const sourceIdentities = ['spiffe://shop.example/ns/default/sa/cart'];
    await stage.registry.register([clientText('reports', { ...spec, sourceIdentities })]);
    expect(await ask(stage)).toBe('invalid_client');
  });
});

describe('a public client', () => {
  const users = 'https://login.example';
  const set = readKeySet(Buffer.from(writeKeySet([key.publicJwk])), { algorithms: ['ES256'], use: 'sig' });
  if (!set.ok) throw new Error(set.reason);
  const foreign = {
    issuer: users,
    keys: set.value,
    typ: 'at+jwt',
    claimMap: {},
    subjects: { trustDomains: [], ownNames: 'accept' },
    maxLifetimeSeconds: 900,
  } as const;

  async function stageWithUsers(): Promise<StsStage> {
    const stage = await openStsStage({ foreignIssuers: [foreign] });
    const access = [{ audience: 'ledger', scopes: ['payments.read'] }];
    const spec = { authentication: 'public', grants: ['token_exchange'], binding: 'none', access };
    const registered = await stage.registry.register([
      serviceText('web', { scopes: ['payments.read'], owners: ['web-app'] }),
      clientText('web-app', spec),
    ]);
    if (registered.problems.length > 0) throw new Error(JSON.stringify(registered.problems));
    return stage;
  }

  async function ask(stage: StsStage, claims: object | undefined): Promise<string> {
    const now = Math.floor(stage.registry.clock.now() / 1000);
    const own = { iss: users, sub: 'alice', client_id: 'web-app', aud: 'web', iat: now, exp: now + 300, jti: 'one' };
    const token = claims && signed('at+jwt', { ...own, scope: 'payments.read', ...claims });
    const subject = token === undefined ? undefined : { token, type: accessToken };
    const credentials = { kind: 'public', clientId: 'web-app' } as const;
    const request = asked({ audience: 'ledger', credentials, subject, binding: 'registered' });
    const answer = await stage.sts.issue(request, anonymous);
    if (!answer.ok) return answer.reason.error;
    const { sub, act } = JSON.parse(Buffer.from(answer.value.token.split('.')[1] ?? '', 'base64url').toString()) as {
      sub: string;
      act: { sub: string };
    };
    return `${sub} by ${act.sub}`;
  }

  test.each([
    ['the token of a user', {}, 'alice by web-app'],
    ['no token', undefined, 'unauthorized_client'],
    ['a token for somebody else', { aud: 'ledger' }, 'invalid_request'],
    ['a token of an issuer nobody trusts', { iss: 'https://evil.example' }, 'invalid_request'],
    ['a token bound to a certificate that it has not', { cnf: { 'x5t#S256': 'A'.repeat(43) } }, 'invalid_request'],
    ['a token that speaks of a client of ours', { sub: 'web-app' }, 'invalid_request'],
    ['a token that says who may act, and it is another', { may_act: { sub: 'other' } }, 'invalid_request'],
  ])('with %s (S34)', async (_name, claims, expected) => {
    expect(await ask(await stageWithUsers(), claims)).toBe(expected);
  });
});
