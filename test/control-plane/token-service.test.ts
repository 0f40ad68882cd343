import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TlsIdentity } from '#proto/pinned-tls.ts';
import type { WatchResponse } from '#proto/messages.ts';
import type { ExchangeTokenRequest } from '#proto/token-messages.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { runCommandLine } from '#support/command-line.ts';
import { serviceText } from '#support/registrations.ts';
import { findSecrets, readFolder } from '#support/secret-scan.ts';
import { options, startTestControlPlane, type TestControlPlane } from '#support/start-control-plane.ts';
import { paymentsId, shopTexts, workloadText } from '#support/sts-stage.ts';
import { verifyAccessToken } from '#tokens/access-token.ts';
import { parseAudience } from '#tokens/claims.ts';
import { x5tS256 } from '#tokens/confirmation.ts';
import { readKeySet } from '#tokens/jwks.ts';

const issuer = 'https://sts.shop.example';
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';

let mesh: TestControlPlane;
beforeEach(async () => {
  mesh = await startTestControlPlane({ tokens: { issuer } });
});
afterEach(() => mesh[Symbol.asyncDispose]());

const run = (line: string) =>
  runCommandLine(`${line} --data-dir ${mesh.dataDir}`, { cwd: '/', stdin: Readable.from([]), env: {} });

async function register(...texts: readonly string[]): Promise<void> {
  const files = [{ name: 'a.yaml', text: texts.join('\n---\n') }];
  const answer = await mesh.admin.registry.register({ credential: '', files }, options);
  if (!answer.ok || answer.value.problems.length > 0) throw new Error(JSON.stringify(answer));
}

function ask(identity: TlsIdentity | undefined, changes: Partial<ExchangeTokenRequest> = {}) {
  const request = { audience: paymentsId, scopes: [], subjectToken: '', subjectTokenType: '', requestedTokenType: '' };
  return mesh.client(identity).exchangeToken({ ...request, ...changes }, options);
}

async function tokenOf(identity: TlsIdentity, changes: Partial<ExchangeTokenRequest> = {}): Promise<string> {
  const answer = await ask(identity, changes);
  if (answer.ok && answer.value.kind === 'issued') return answer.value.token;
  throw new Error(JSON.stringify(answer));
}

/** An agent that listens, and answers each push. */
async function listen(identity: TlsIdentity) {
  const stream = mesh.client(identity).watch(new AbortController().signal);
  const heard: WatchResponse[] = [];
  await stream.send({ kind: 'subscribe', upstreams: [], endpoints: [], agentVersion: 'test', ports: [] });
  void (async () => {
    for await (const message of stream.messages) {
      heard.push(message);
      await stream.send({ kind: 'acknowledge', version: message.version, problem: '' });
    }
  })().catch(() => undefined);
  return {
    newestKeys: () => heard.filter((message) => message.kind === 'token-keys').at(-1)?.issuers[0],
  };
}

/** As an agent judges: by the keys that it was pushed. */
function judge(token: string, jwks: string, audience: string): string {
  const keys = readKeySet(Buffer.from(jwks), { algorithms: ['ES256'], use: 'sig' });
  const expected = parseAudience(audience);
  if (!keys.ok || !expected.ok) throw new Error('unreadable');
  const trusted = {
    issuer,
    keys: keys.value,
    typ: 'at+jwt',
    claimMap: {},
    subjects: { trustDomains: ['shop.example'], ownNames: 'refuse' },
    maxLifetimeSeconds: 900,
  } as const;
  const rules = { issuers: new Map([[issuer, trusted]]), audience: expected.value, nowMs: systemClock.now() };
  const verdict = verifyAccessToken(token, { ...rules, skewSeconds: 5 });
  return verdict.ok ? `${verdict.value.subject} ${verdict.value.scopes.join(' ')}` : verdict.reason;
}

describe('an agent', () => {
  test('gets tokens by its SVID, bound to it, that its peers verify by pushed keys alone (S21, S33, S79)', async () => {
    await register(...shopTexts);
    const cart = await mesh.join('cart');
    const payments = await listen(await mesh.join('payments'));
    const token = await tokenOf(cart, { scopes: ['payments.read'] });
    await expect.poll(() => payments.newestKeys()?.issuer).toBe(issuer);
    const { jwks = '' } = payments.newestKeys() ?? {};
    expect(judge(token, jwks, paymentsId)).toBe('spiffe://shop.example/ns/default/sa/cart payments.read');
    expect(judge(token, jwks, 'ledger')).toBe('wrong-audience');
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    expect(claims).toMatchObject({ cnf: { 'x5t#S256': x5tS256(cart.svid.thumbprint) } });
  });

  test('exchanges what it was sent; the actor is its SVID, whatever it says (S29, A29, A31)', async () => {
    await register(...shopTexts, workloadText('other', [{ audience: 'ledger', scopes: ['payments.read'] }]));
    const [cart, payments, other] = [await mesh.join('cart'), await mesh.join('payments'), await mesh.join('other')];
    const subject = { subjectToken: await tokenOf(cart), subjectTokenType: accessToken, audience: 'ledger' };
    const claims: unknown = JSON.parse(
      Buffer.from((await tokenOf(payments, subject)).split('.')[1] ?? '', 'base64url').toString(),
    );
    expect(claims).toMatchObject({ sub: cart.svid.spiffeId, act: { sub: payments.svid.spiffeId }, aud: 'ledger' });
    expect(await ask(other, subject)).toMatchObject({ value: { kind: 'refused', error: 'invalid_request' } });
  });

  test('hears why it gets none, in the words of the RFCs (S15)', async () => {
    await register(...shopTexts);
    const cart = await mesh.join('cart');
    const errors = [
      await ask(cart, { scopes: ['payments.admin'] }),
      await ask(cart, { audience: 'ledger' }),
      await ask(await mesh.join('stranger')),
      await ask(cart, { subjectToken: 'a.b.c', subjectTokenType: accessToken }),
      await ask(cart, { requestedTokenType: 'urn:ietf:params:oauth:token-type:saml2' }),
    ].map((answer) => answer.ok && answer.value.kind === 'refused' && answer.value.error);
    expect(errors).toEqual(['invalid_scope', 'invalid_target', 'invalid_client', 'invalid_request', 'invalid_request']);
    expect(await ask(undefined)).toMatchObject({ ok: false, reason: { code: 'unauthenticated' } });
    expect(JSON.stringify(mesh.events)).toContain('scope-not-registered'); // the exact reason is in the log
  });

  test('that asks too often is told when to come back', async () => {
    await mesh[Symbol.asyncDispose]();
    mesh = await startTestControlPlane({ tokens: { issuer }, limits: { tokensPerClient: { burst: 1, perSecond: 1 } } });
    await register(...shopTexts);
    const cart = await mesh.join('cart');
    await tokenOf(cart);
    expect(await ask(cart)).toMatchObject({
      ok: false,
      reason: { code: 'resource-exhausted', reason: 'come-back-later', retryAfterMs: 1000 },
    });
  });

  test('keeps its tokens over a restart of the control plane: the keys are the same (A40)', async () => {
    await register(...shopTexts);
    const token = await tokenOf(await mesh.join('cart'));
    await mesh.restart();
    const payments = await listen(await mesh.join('payments'));
    await expect.poll(() => payments.newestKeys()?.jwks).toBeDefined();
    expect(judge(token, payments.newestKeys()?.jwks ?? '', paymentsId)).toContain('/sa/cart');
  });

  test('hears of no issuer where none ever was, and may not ask', async () => {
    await mesh[Symbol.asyncDispose]();
    mesh = await startTestControlPlane();
    await register(serviceText());
    const refused = { ok: false, reason: { code: 'permission-denied', reason: 'no-token-service' } };
    expect(await ask(await mesh.join('cart'))).toEqual(refused);
    expect(await mesh.admin.registry.signingKeys({ credential: '' }, options)).toEqual(refused);
  });
});

describe('eastwest sts', () => {
  test('keys: shows who signs, who will, and how many agents know', async () => {
    const agent = await listen(await mesh.join('cart'));
    await expect.poll(() => agent.newestKeys()).toBeDefined();
    await expect.poll(async () => (await run('sts keys')).stdout).toContain('known to 1 of 1 connected agents');
    const { stdout } = await run('sts keys --json');
    const listed = JSON.parse(stdout) as { issuer: string; keys: { state: string }[] };
    expect(listed.issuer).toBe(issuer);
    expect(listed.keys.map(({ state }) => state)).toEqual(['next', 'current']);
  });

  test('revoke-key: 20 agents are told within a second, and refuse what it signed (S80)', async () => {
    await register(...shopTexts);
    const cart = await mesh.join('cart');
    const agents = await Promise.all(Array.from({ length: 20 }, () => listen(cart)));
    const token = await tokenOf(cart);
    await expect.poll(() => agents.every((agent) => agent.newestKeys() !== undefined)).toBe(true);
    const { kid } = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string };
    const begunMs = systemClock.monotonic();
    const revoked = await run(`sts revoke-key ${kid}`);
    expect(revoked).toMatchObject({ code: 0, stdout: `revoked     ${kid}\n` });
    const verdicts = () => new Set(agents.map((agent) => judge(token, agent.newestKeys()?.jwks ?? '', paymentsId)));
    await expect.poll(() => [...verdicts()], { interval: 10 }).toEqual(['unknown-kid']);
    expect(systemClock.monotonic() - begunMs).toBeLessThan(1_000);
    expect((await run(`sts revoke-key ${kid}`)).stderr).toContain('no key has this ID');
    expect((await run('audit')).stdout).toMatch(/signing-key-changed kid=\S+ change=revoked operator=owner/);
  });

  test('revoke-key: only by an operator who may', async () => {
    await mesh.admin.registry.addOperator({ credential: '', name: 'root', roles: ['admin'] }, options);
    expect((await run('sts revoke-key x')).code).not.toBe(0);
  });
});

test('no token and no key is in the log or in the data directory (A39)', async () => {
  await register(...shopTexts);
  const token = await tokenOf(await mesh.join('cart'));
  await mesh.restart();
  expect(findSecrets(readFolder(mesh.dataDir))).toEqual([]);
  const signature = token.split('.')[2] ?? '';
  expect(JSON.stringify(mesh.events)).not.toContain(signature);
});
