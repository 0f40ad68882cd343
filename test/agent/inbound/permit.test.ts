import { beforeAll, expect, test } from 'vitest';
import { PortJudge } from '#agent/inbound/permit.ts';
import type { VerifiedPeer } from '#agent/tls/verified-peer.ts';
import { indexRules } from '#policy/decide.ts';
import { createTestDomain, type TestDomain } from '#support/identities.ts';

let domain: TestDomain;
let cart: VerifiedPeer;

beforeAll(async () => {
  domain = await createTestDomain();
  const { svid } = await domain.identity('cart', 60_000);
  cart = { spiffeId: svid.spiffeId, svid };
});

const rulesFor = (...workloads: string[]) =>
  indexRules([{ name: 'ports[7002].allow', port: 7002, principals: workloads.map((name) => domain.spiffeId(name)) }]);

test('a caller that a rule names is admitted, with the rule in its permit, and nobody else', () => {
  const rules = rulesFor('cart');
  const now = cart.svid.notBeforeMs;
  expect(new PortJudge(() => rules, 7002).judge(cart, now)).toMatchObject({
    ok: true,
    value: { principal: cart.spiffeId, rule: 'ports[7002].allow' },
  });
  expect(new PortJudge(() => rules, 7003).judge(cart, now)).toEqual({ ok: false, reason: 'no-rule-matches' });
  const none = rulesFor('orders');
  expect(new PortJudge(() => none, 7002).judge(cart, now)).toEqual({ ok: false, reason: 'no-rule-matches' });
});

test('the verdict stands as long as caller and rules are the same, and falls with either', async () => {
  let rules = rulesFor('cart');
  const judge = new PortJudge(() => rules, 7002);
  const now = cart.svid.notBeforeMs;
  const first = judge.judge(cart, now);
  expect(judge.judge(cart, now)).toBe(first);
  rules = rulesFor('orders');
  expect(judge.judge(cart, now).ok).toBe(false);
  rules = rulesFor('cart');
  expect(judge.judge(cart, now).ok).toBe(true);
  const { svid } = await domain.identity('cart', 60_000);
  const proved = { spiffeId: svid.spiffeId, svid };
  expect(judge.judge(proved, now)).not.toBe(judge.judge(cart, now));
});

test('a caller whose certificate has expired is nobody any more, whatever was said of it before (A46)', () => {
  const rules = rulesFor('cart');
  const judge = new PortJudge(() => rules, 7002);
  const { notAfterMs } = cart.svid;
  expect(judge.judge(cart, notAfterMs - 1).ok).toBe(true);
  expect(judge.judge(cart, notAfterMs)).toEqual({ ok: false, reason: 'peer-svid-expired' });
});
