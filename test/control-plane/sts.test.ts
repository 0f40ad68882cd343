import { describe, expect, test } from 'vitest';
import { clientText, serviceText } from '#support/registrations.ts';
import { asked, cartId, openStsStage, paymentsId, shopTexts, workloadText, type StsStage } from '#support/sts-stage.ts';
import type { IssuedToken, TokenRequest } from '#control-plane/sts/sts.ts';
import { x5tS256 } from '#tokens/confirmation.ts';

const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
const address = '127.0.0.1:40000';

async function ask(stage: StsStage, workload: string, changes: Partial<TokenRequest> = {}, lifeMs?: number) {
  const svid = stage.svid(workload, lifeMs);
  const answer = await stage.sts.issue(asked(changes), { svid, address });
  return answer.ok ? answer.value : answer.reason.error;
}

async function must(answer: ReturnType<typeof ask>): Promise<IssuedToken> {
  const got = await answer;
  if (typeof got === 'string') throw new Error(got);
  return got;
}

const claimsOf = ({ token }: Pick<IssuedToken, 'token'>): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;

describe('a workload asks for itself', () => {
  test('and gets a token for one audience, bound to its certificate, for five minutes (S14, S33, S51)', async () => {
    const stage = await openStsStage();
    const svid = stage.svid('cart');
    const answer = await stage.sts.issue(asked(), { svid, address });
    if (!answer.ok) throw new Error(answer.reason.error);
    const nowSeconds = Math.floor(stage.registry.clock.now() / 1000);
    expect(claimsOf(answer.value)).toEqual({
      iss: stage.sts.issuer,
      sub: cartId,
      client_id: cartId,
      aud: paymentsId,
      scope: 'payments.read payments.write',
      tenant: 'shop',
      iat: nowSeconds,
      nbf: nowSeconds,
      exp: nowSeconds + 300,
      jti: expect.stringMatching(/^[\w-]{22}$/) as string,
      cnf: { 'x5t#S256': x5tS256(svid.thumbprint) },
    });
    expect(answer.value).toMatchObject({ issuedTokenType: accessToken, expiresAtMs: (nowSeconds + 300) * 1000 });
  });

  test.each([
    [[], ['payments.read', 'payments.write']],
    [['payments.read'], ['payments.read']],
    [['payments.read', 'payments.read'], ['payments.read']],
    [['payments.admin'], 'invalid_scope'],
    [['payments.read', 'payments.admin'], 'invalid_scope'],
    [['payments.read payments.write'], 'invalid_scope'],
    [['payments"read'], 'invalid_scope'],
    [['payments.read\u0000'], 'invalid_scope'],
    [[''], 'invalid_scope'],
    [Array.from({ length: 10_000 }, (_none, index) => `s${index}`), 'invalid_scope'],
  ] satisfies [string[], string[] | string][])('scopes %j → %j (S81, A28)', async (scopes, expected) => {
    const got = await ask(await openStsStage(), 'cart', { scopes });
    expect(typeof got === 'string' ? got : got.scopes).toEqual(expected);
  });

  test.each(['', '*', 'ledger', `${paymentsId} `, 'spiffe://shop.example/ns/default/sa/other'])(
    'for the audience %j: invalid_target (S50, A37)',
    async (audience) => {
      expect(await ask(await openStsStage(), 'cart', { audience })).toBe('invalid_target');
    },
  );

  test('for no longer than its certificate lives, and its registration allows (S51)', async () => {
    const stage = await openStsStage();
    const lifeOf = ({ issuedAtMs, expiresAtMs }: IssuedToken) => (expiresAtMs - issuedAtMs) / 1000;
    expect(lifeOf(await must(ask(stage, 'cart', {}, 20_000)))).toBe(20);
    await stage.registry.register([workloadText('cart', [{ audience: paymentsId }], { maxLifetime: '90s' })]);
    expect(lifeOf(await must(ask(stage, 'cart')))).toBe(90);
    const long = await openStsStage({ lifeMs: 24 * 3_600_000 });
    await long.registry.register([workloadText('cart', [{ audience: paymentsId }], { maxLifetime: '15m' })]);
    expect(lifeOf(await must(ask(long, 'cart')))).toBe(900);
  });

  test('unregistered: invalid_client; waiting or disabled: unauthorized_client (S35, A37)', async () => {
    const stage = await openStsStage();
    expect(await ask(stage, 'stranger')).toBe('invalid_client');
    await stage.registry.register([workloadText('fresh', [{ audience: paymentsId }], { approval: 'admin' })]);
    expect(await ask(stage, 'fresh')).toBe('unauthorized_client');
    await stage.registry.change(`Client/${cartId}`, 'disable');
    expect(await ask(stage, 'cart')).toBe('unauthorized_client');
    await stage.registry.change(`Client/${cartId}`, 'enable');
    expect(await ask(stage, 'cart')).toMatchObject({ issuedTokenType: accessToken });
  });

  test('without an SVID, or under the name of another: invalid_client (A33)', async () => {
    const stage = await openStsStage();
    const anonymous = await stage.sts.issue(asked(), { svid: undefined, address });
    expect(anonymous).toMatchObject({ ok: false, reason: { error: 'invalid_client' } });
    expect(await ask(stage, 'payments', { credentials: { kind: 'svid', clientId: cartId } })).toBe('invalid_client');
  });

  test('too often: temporarily_unavailable, and when to come back', async () => {
    const limit = { burst: 2, perSecond: 1 };
    const stage = await openStsStage({ limits: { tokensPerClient: limit, failedClientsPerAddress: limit } });
    const answers = [await ask(stage, 'cart'), await ask(stage, 'cart'), await ask(stage, 'cart')];
    expect(answers).toMatchObject([{}, {}, 'temporarily_unavailable']);
    expect(await ask(stage, 'payments', { audience: 'ledger' })).toMatchObject({
      scopes: expect.anything() as unknown,
    });
    await stage.registry.clock.advance(1_000);
    expect(await ask(stage, 'cart')).toMatchObject({ issuedTokenType: accessToken });
  });
});

describe('a token is exchanged', () => {
  const subject = ({ token }: IssuedToken) => ({ subject: { token, type: accessToken }, audience: 'ledger' });

  test('by the service that it was sent to: the subject stays, the service acts (S29, A31)', async () => {
    const stage = await openStsStage();
    const first = await must(ask(stage, 'cart'));
    const second = claimsOf(await must(ask(stage, 'payments', subject(first))));
    expect(second).toMatchObject({ sub: cartId, client_id: paymentsId, aud: 'ledger', scope: 'payments.read' });
    expect(second['act']).toEqual({ sub: paymentsId });
  });

  test('by nobody else (A29)', async () => {
    const stage = await openStsStage();
    const first = await must(ask(stage, 'cart'));
    await stage.registry.register([workloadText('other', [{ audience: 'ledger', scopes: ['payments.read'] }])]);
    expect(await ask(stage, 'other', subject(first))).toBe('invalid_request');
  });

  test('for no scope that it has not, and for no longer than it lives (A30)', async () => {
    const stage = await openStsStage();
    const first = await must(ask(stage, 'cart'));
    expect(await ask(stage, 'payments', { ...subject(first), scopes: ['ledger.write'] })).toBe('invalid_scope');
    await stage.registry.clock.advance(240_000);
    const second = await must(ask(stage, 'payments', subject(first)));
    expect(second.expiresAtMs).toBe(first.expiresAtMs);
    await stage.registry.clock.advance(70_000); // past exp, within the skew of verifiers
    expect(await ask(stage, 'payments', subject(first))).toBe('invalid_request');
  });

  test.each([
    ['of another type', { type: 'urn:ietf:params:oauth:token-type:saml2' }],
    ['changed in one letter', { change: (token: string) => token.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')) }],
    ['that is none', { change: () => 'rubbish' }],
  ])(
    '%s: invalid_request',
    async (
      _name,
      {
        type = accessToken,
        change = (token: string) => token,
      }: {
        readonly type?: string;
        readonly change?: (token: string) => string;
      },
    ) => {
      const stage = await openStsStage();
      const { token } = await must(ask(stage, 'cart'));
      const given = { audience: 'ledger', subject: { token: change(token), type } };
      expect(await ask(stage, 'payments', given)).toBe('invalid_request');
    },
  );

  test('along a chain of four actors at most, and never in a circle (A31)', async () => {
    const stage = await openStsStage();
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const idOf = (name: string) => `spiffe://shop.example/ns/default/sa/${name}`;
    const access = names.map((name) => ({ audience: idOf(name), scopes: ['x'] }));
    await stage.registry.register([
      ...names.map((name) => serviceText(idOf(name), { scopes: ['x'] })),
      ...names.map((name) => workloadText(name, access)),
    ]);
    let token = await must(ask(stage, 'a', { audience: idOf('b') }));
    const step = (by: string, to: string) =>
      ask(stage, by, { audience: idOf(to), subject: { token: token.token, type: accessToken } });
    token = await must(step('b', 'c'));
    expect(claimsOf(token)['act']).toEqual({ sub: idOf('b') });
    token = await must(step('c', 'd'));
    token = await must(step('d', 'e'));
    token = await must(step('e', 'f'));
    expect(claimsOf(token)).toMatchObject({
      sub: idOf('a'),
      act: { sub: idOf('e'), act: { sub: idOf('d'), act: { sub: idOf('c'), act: { sub: idOf('b') } } } },
    });
    expect(await step('f', 'g')).toBe('invalid_request');
    const back = await must(ask(stage, 'a', { audience: idOf('b') }));
    const again = await must(
      ask(stage, 'b', { audience: idOf('a'), subject: { token: back.token, type: accessToken } }),
    );
    const circle = { audience: idOf('c'), subject: { token: again.token, type: accessToken } };
    expect(await ask(stage, 'a', circle)).toBe('invalid_request');
  });

  test('not into another tenant, and not once its client is disabled (A37)', async () => {
    const stage = await openStsStage();
    const first = await must(ask(stage, 'cart'));
    await stage.registry.register([
      serviceText('abroad', { scopes: ['payments.read'] }, { tenant: 'bank' }),
      workloadText('payments', [{ audience: 'ledger', scopes: ['payments.read'] }]),
    ]);
    expect(await ask(stage, 'payments', { ...subject(first), audience: 'abroad' })).toBe('invalid_target');
    await stage.registry.change(`Client/${cartId}`, 'disable');
    expect(await ask(stage, 'payments', subject(first))).toBe('invalid_request');
  });

  test('only by a client whose registration has that grant', async () => {
    const stage = await openStsStage();
    const first = await must(ask(stage, 'cart'));
    const access = [{ audience: 'ledger', scopes: ['payments.read'] }];
    await stage.registry.register([workloadText('payments', access, { grants: ['client_credentials'] })]);
    expect(await ask(stage, 'payments', subject(first))).toBe('unauthorized_client');
    await stage.registry.register([workloadText('payments', access, { grants: ['token_exchange'] })]);
    expect(await ask(stage, 'payments', { audience: 'ledger' })).toBe('unauthorized_client');
  });
});

describe('clients outside the mesh', () => {
  test('with a secret get tokens, with a wrong one the answer of a stranger (S31)', async () => {
    const stage = await openStsStage();
    const made = await stage.registry.register([
      clientText('billing', { access: [{ audience: 'ledger', scopes: ['ledger.write'] }], binding: 'none' }),
    ]);
    const secret = made.documents[0]?.secret ?? '';
    const by = (given: string) =>
      stage.sts.issue(
        asked({
          audience: 'ledger',
          credentials: { kind: 'secret', clientId: 'billing', secret: given },
          binding: 'registered',
        }),
        { svid: undefined, address },
      );
    const good = await by(secret);
    expect(good.ok && claimsOf(good.value)).toMatchObject({ sub: 'billing', client_id: 'billing', aud: 'ledger' });
    expect(good.ok && claimsOf(good.value)['cnf']).toBe(undefined);
    const wrong = await by(secret.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')));
    expect(wrong).toMatchObject({ reason: { error: 'invalid_client' } });
    await stage.registry.change('Client/billing', 'disable');
    expect(await by(secret)).toEqual(wrong);
  });
});

test('a token is told to the service that it is for, and to nobody else (A36)', async () => {
  const stage = await openStsStage();
  const { token } = await must(ask(stage, 'cart'));
  const by = (workload: string) =>
    stage.sts.introspect(token, { kind: 'svid', clientId: undefined }, { svid: stage.svid(workload), address });
  expect(by('payments')).toMatchObject({ value: { active: true, sub: cartId, aud: paymentsId, cnf: {} } });
  expect(by('cart')).toEqual({ ok: true, value: { active: false } });
  expect(by('stranger')).toMatchObject({ ok: false, reason: { error: 'invalid_client' } });
  await stage.registry.change(`Client/${cartId}`, 'disable');
  expect(by('payments')).toEqual({ ok: true, value: { active: false } });
});

test('a revoked token is not active and cannot be exchanged; only its client revokes it', async () => {
  const stage = await openStsStage();
  const { token } = await must(ask(stage, 'cart'));
  const credentials = { kind: 'svid', clientId: undefined } as const;
  const callerOf = (workload: string) => ({ svid: stage.svid(workload), address });
  const isActive = () => stage.sts.introspect(token, credentials, callerOf('payments'));
  expect(stage.sts.revoke(token, credentials, callerOf('payments')).ok).toBe(true);
  expect(isActive()).toMatchObject({ value: { active: true } });
  expect(stage.sts.revoke(token, credentials, callerOf('cart')).ok).toBe(true);
  expect(isActive()).toEqual({ ok: true, value: { active: false } });
  const exchange = { audience: 'ledger', subject: { token, type: accessToken } };
  expect(await ask(stage, 'payments', exchange)).toBe('invalid_request');
});

test('what became of requests is counted, and audited in gathered records without any token (A39)', async () => {
  const stage = await openStsStage();
  const tokens = [await must(ask(stage, 'cart')), await must(ask(stage, 'cart'))];
  await ask(stage, 'cart', { audience: 'nowhere' });
  await ask(stage, 'stranger');
  expect(stage.sts.counts()).toEqual({ issued: 2, refused: { 'audience-not-registered': 1, unregistered: 1 } });
  await stage.registry.clock.advance(5_000);
  await stage.sts.close();
  const records = stage.registry.audit().filter(({ kind }) => String(kind).startsWith('token'));
  expect(records).toMatchObject([
    { kind: 'tokens-issued', client: cartId, audience: paymentsId, grant: 'client_credentials', count: 2 },
    { kind: 'token-refused', client: cartId, audience: 'nowhere', reason: 'audience-not-registered', repeats: 1 },
    { kind: 'token-refused', client: '', reason: 'unregistered', repeats: 1 },
  ]);
  const text = JSON.stringify(stage.registry.audit());
  for (const { token } of tokens) expect(text).not.toContain(token.split('.')[2]);
});

test('a new service calls those that are there by registering itself: no registration of theirs changes (S28)', async () => {
  const stage = await openStsStage();
  const before = await stage.registry.find(`Service/${paymentsId}`);
  await stage.registry.register([
    serviceText('spiffe://shop.example/ns/default/sa/fresh'),
    workloadText('fresh', [{ audience: paymentsId, scopes: ['payments.read'] }]),
  ]);
  expect(await ask(stage, 'fresh')).toMatchObject({ scopes: ['payments.read'] });
  expect(await stage.registry.find(`Service/${paymentsId}`)).toEqual(before);
  expect(shopTexts.length).toBe(4);
});
