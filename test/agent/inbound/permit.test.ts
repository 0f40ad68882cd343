import { beforeAll, expect, test } from 'vitest';
import { PortJudge } from '#agent/inbound/permit.ts';
import type { VerifiedPeer } from '#agent/tls/verified-peer.ts';
import { compilePolicies, type CompiledPolicy } from '#policy/compile.ts';
import { localPolicy } from '#policy/local-policy.ts';
import type { DenyEntry, PolicyDocument } from '#policy/model.ts';
import { createTestDomain, type TestDomain } from '#support/identities.ts';

let domain: TestDomain;
let cart: VerifiedPeer;
let now: number;

beforeAll(async () => {
  domain = await createTestDomain();
  const { svid } = await domain.identity('cart', 60_000);
  cart = { spiffeId: svid.spiffeId, svid };
  now = svid.notBeforeMs;
});

function compiled(...documents: PolicyDocument[]): CompiledPolicy {
  const facts = { trustDomain: 'test.example', namespace: 'shop', name: 'prices', labels: {}, ports: undefined };
  const policy = compilePolicies(documents, facts);
  if (!policy.ok) throw new Error('does not compile');
  return policy.value;
}

const rulesFor = (...workloads: string[]) =>
  compiled(localPolicy([{ port: 7002, allow: workloads.map((name) => domain.spiffeId(name)) }]));

/** What comes of an opaque call. */
function judged(policy: CompiledPolicy, port = 7002, nowMs = now) {
  const judge = new PortJudge(() => policy, port);
  const standing = judge.standing(cart, nowMs);
  return standing.ok ? judge.judge(standing.value, undefined, 0).permit : standing;
}

test('a caller that a rule names is admitted, with the rule in its permit, and nobody else', () => {
  const admitted = { ok: true, value: { principal: cart.spiffeId, rule: 'ports[7002].allow' } };
  expect(judged(rulesFor('cart'))).toMatchObject(admitted);
  expect(judged(rulesFor('cart'), 7003)).toEqual({ ok: false, reason: { reason: 'no-rule-matches' } });
  expect(judged(rulesFor('orders'))).toEqual({ ok: false, reason: { reason: 'no-rule-matches' } });
});

test('any-peer is any peer of the own trust domain, wherever a verifier believes others too (A44)', async () => {
  const far = await (await createTestDomain('far.example')).identity('cart', 60_000);
  const anyPeer = compiled(localPolicy([{ port: 7002, allow: 'any-peer' }]));
  const judge = new PortJudge(() => anyPeer, 7002);
  expect(judge.refusalOf(cart, undefined, now)).toBeUndefined();
  const stranger = { spiffeId: far.svid.spiffeId, svid: far.svid };
  expect(judge.refusalOf(stranger, undefined, far.svid.notBeforeMs)).toEqual({ reason: 'no-rule-matches' });
  const named = compiled(localPolicy([{ port: 7002, allow: [far.svid.spiffeId] }]));
  expect(new PortJudge(() => named, 7002).refusalOf(stranger, undefined, far.svid.notBeforeMs)).toBeUndefined();
});

test('a standing is the same as long as caller and rules are, and another with either', async () => {
  let rules = rulesFor('cart');
  const judge = new PortJudge(() => rules, 7002);
  const first = judge.standing(cart, now);
  expect(judge.standing(cart, now)).toBe(first);
  rules = rulesFor('orders');
  expect(judge.standing(cart, now)).not.toBe(first);
  expect(judge.refusalOf(cart, undefined, now)).toEqual({ reason: 'no-rule-matches' });
  rules = rulesFor('cart');
  expect(judge.refusalOf(cart, undefined, now)).toBeUndefined();
  const { svid } = await domain.identity('cart', 60_000);
  const before = judge.standing(cart, now);
  expect(judge.standing({ spiffeId: svid.spiffeId, svid }, now)).not.toBe(before);
});

test('a caller whose certificate has expired is nobody any more, whatever was said of it before (A46)', () => {
  const rules = rulesFor('cart');
  const { notAfterMs } = cart.svid;
  expect(judged(rules, 7002, notAfterMs - 1).ok).toBe(true);
  expect(judged(rules, 7002, notAfterMs)).toEqual({ ok: false, reason: { reason: 'peer-svid-expired' } });
});

test.each([
  ['its name', () => ({ spiffeId: cart.spiffeId })],
  ['its certificate', () => ({ serial: cart.svid.serialHex })],
  ['its key', () => ({ keyThumbprint: cart.svid.keyThumbprint })],
])('a caller of whom a deny list has %s is refused until the entry ends (A46)', (_what, target) => {
  const entry = { ...target(), reason: 'stolen laptop', expiresAtMs: now + 5_000 } as DenyEntry;
  const list = { kind: 'DenyList', namespace: 'shop', name: 'lost', entries: [entry] } as const;
  const policy = compiled(localPolicy([{ port: 7002, allow: [cart.spiffeId] }]), list);
  const refusal = { reason: 'denied-by-list', rule: 'stolen laptop', denial: entry };
  expect(judged(policy)).toEqual({ ok: false, reason: refusal });
  expect(judged(policy, 7002, now + 5_000).ok).toBe(true);
});
