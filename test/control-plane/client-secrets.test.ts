import { expect, test } from 'vitest';
import { clientWithSecret } from '#control-plane/registry/secrets.ts';
import { clientText, openRegistryStage, serviceText, unwrap, type RegistryStage } from '#support/registrations.ts';
import { findSecrets } from '#support/secret-scan.ts';

const held = { approval: 'admin' };

async function openStageWith(text: string): Promise<{ stage: RegistryStage; secret: string }> {
  const stage = openRegistryStage();
  await stage.addOperator('bob', 'approver');
  const { documents } = await stage.register([serviceText(), text]);
  return { stage, secret: documents[1]?.secret ?? '' };
}

/** `accepted`, or why not. */
function verdict({ administration, clock }: RegistryStage, clientId: string, text: string): string {
  const found = clientWithSecret(administration.registry, clientId, { text, nowMs: clock.now() });
  return found.ok ? 'accepted' : found.reason;
}

async function rotate(stage: RegistryStage, overlapMs: number, by = 'owner') {
  const { id, revision } = await stage.find('Client/billing');
  const request = { credential: stage.credential(by), id, revision, overlapMs };
  return unwrap(await stage.administration.handlers.rotateSecret(request));
}

test('a secret is 256 random bits of ours, shown once, and stored as a hash (S31)', async () => {
  const { stage, secret } = await openStageWith(clientText());
  expect(Buffer.from(secret.split('.')[2] ?? '', 'base64url')).toHaveLength(32);
  expect(verdict(stage, 'billing', secret)).toBe('accepted');
  const again = await stage.register([clientText('billing', { roles: ['a'] })]);
  expect(again.documents[0]).toMatchObject({ outcome: 'changed', secret: '' });
  stage.restart();
  expect(verdict(stage, 'billing', secret)).toBe('accepted');
  const shown = [stage.audit(), stage.events, await stage.find('Client/billing'), stage.store.registrations()];
  const places = shown.map((each, index) => ({ where: String(index), bytes: Buffer.from(JSON.stringify(each)) }));
  const known = new Map([['the secret', Buffer.from(secret.split('.')[2] ?? '', 'base64url')]]);
  expect(findSecrets(places, known)).toEqual([]);
  expect(findSecrets([{ where: 'here', bytes: Buffer.from(`x ${secret}`) }])).toEqual(['client secret in here']);
});

test.each([
  ['a wrong one of the right form', (secret: string) => `${secret.slice(0, -4)}AAAA`, 'wrong-secret'],
  ['one of another ID', (secret: string) => secret.replace(/\.[0-9a-f]{16}\./, '.0123456789abcdef.'), 'wrong-secret'],
  ['one of another use', (secret: string) => secret.replace('ewc1', 'ewo1'), 'wrong-secret'],
  ['a blank more', (secret: string) => `${secret} `, 'wrong-secret'],
  ['none', () => '', 'wrong-secret'],
])('%s is refused (A35)', async (_name, spoil, expected) => {
  const { stage, secret } = await openStageWith(clientText());
  expect(verdict(stage, 'billing', spoil(secret))).toBe(expected);
});

test('a secret of one client is none of another; who proves itself otherwise has none (A35)', async () => {
  const { stage, secret } = await openStageWith(clientText());
  const svid = 'spiffe://shop.example/ns/default/sa/cart';
  await stage.register([clientText('other'), clientText(svid, { authentication: 'svid' })]);
  expect(verdict(stage, 'other', secret)).toBe('wrong-secret');
  expect(verdict(stage, svid, secret)).toBe('other-authentication');
  expect(verdict(stage, 'nobody', secret)).toBe('unregistered');
});

test('a secret counts while its registration does: not pending, disabled or deleted (A35, A37)', async () => {
  const { stage, secret } = await openStageWith(clientText('billing', held));
  expect(verdict(stage, 'billing', secret)).toBe('pending');
  await stage.change('Client/billing', 'approve', 'bob');
  expect(verdict(stage, 'billing', secret)).toBe('accepted');
  await stage.change('Client/billing', 'disable');
  expect(verdict(stage, 'billing', secret)).toBe('disabled');
  await stage.change('Client/billing', 'delete');
  expect(verdict(stage, 'billing', secret)).toBe('unregistered');
  await stage.clock.advance(3_600_000);
  const { documents } = await stage.register([clientText()]);
  expect(verdict(stage, 'billing', secret)).toBe('wrong-secret');
  expect(verdict(stage, 'billing', documents[0]?.secret ?? '')).toBe('accepted');
});

test('a rotated secret overlaps with the one before, and the one before that is gone', async () => {
  const { stage, secret: first } = await openStageWith(clientText());
  const { secret: second, state } = await rotate(stage, 60_000);
  expect(state).toBe('usable');
  expect([first, second].map((each) => verdict(stage, 'billing', each))).toEqual(['accepted', 'accepted']);
  await stage.clock.advance(59_999);
  expect(verdict(stage, 'billing', first)).toBe('accepted');
  await stage.clock.advance(1);
  expect([first, second].map((each) => verdict(stage, 'billing', each))).toEqual(['secret-ended', 'accepted']);
  const { secret: third } = await rotate(stage, 0);
  expect([first, second, third].map((each) => verdict(stage, 'billing', each))).toEqual([
    'wrong-secret',
    'wrong-secret',
    'accepted',
  ]);
  expect((await stage.find('Client/billing')).secrets).toHaveLength(1);
});

test('however often one rotates, few secrets are good, and none longer than it was told', async () => {
  const { stage, secret: first } = await openStageWith(clientText());
  await rotate(stage, 1_000);
  for (let n = 0; n < 10; n += 1) await rotate(stage, 86_400_000);
  expect((await stage.find('Client/billing')).secrets.length).toBeLessThanOrEqual(3);
  expect(verdict(stage, 'billing', first)).toBe('wrong-secret');
});

test('where two people are needed a new secret counts once it is approved (S36)', async () => {
  const { stage, secret: first } = await openStageWith(clientText('billing', held));
  await stage.change('Client/billing', 'approve', 'bob');
  const { secret: second, state } = await rotate(stage, 60_000);
  expect(state).toBe('waiting');
  expect([first, second].map((each) => verdict(stage, 'billing', each))).toEqual(['accepted', 'secret-not-approved']);
  expect((await rotate(stage, 0)).problem).toContain('a change of it waits');
  expect((await stage.change('Client/billing', 'approve')).problem).toContain('ask another operator');
  await stage.clock.advance(3_600_000);
  await stage.change('Client/billing', 'approve', 'bob');
  expect([first, second].map((each) => verdict(stage, 'billing', each))).toEqual(['accepted', 'accepted']);
  await stage.clock.advance(60_000);
  expect([first, second].map((each) => verdict(stage, 'billing', each))).toEqual(['secret-ended', 'accepted']);
});

test('a new secret that is rejected never counts', async () => {
  const { stage, secret: first } = await openStageWith(clientText('billing', held));
  await stage.change('Client/billing', 'approve', 'bob');
  const { secret: second } = await rotate(stage, 60_000);
  await stage.change('Client/billing', 'reject', 'bob');
  expect([first, second].map((each) => verdict(stage, 'billing', each))).toEqual(['accepted', 'wrong-secret']);
});

test('a secret that was shown to one proposer is none of another’s proposal', async () => {
  const { stage, secret: first } = await openStageWith(clientText('billing', held));
  await stage.addOperator('alice', 'registrar');
  const mine = await stage.register([clientText('billing', { ...held, roles: ['a'] })]);
  expect(mine.documents[0]?.secret).toBe(''); // it is still the first one
  const others = await stage.register([clientText('billing', held)], 'alice');
  await stage.change('Client/billing', 'approve', 'bob');
  const secret = others.documents[0]?.secret ?? '';
  expect([first, secret].map((each) => verdict(stage, 'billing', each))).toEqual(['wrong-secret', 'accepted']);
});

test('a client that proves itself in another way from now on has no secret any more', async () => {
  const { stage, secret } = await openStageWith(clientText());
  await stage.register([
    clientText('billing', { authentication: 'public', grants: ['token_exchange'], binding: 'none' }),
  ]);
  expect(verdict(stage, 'billing', secret)).toBe('other-authentication');
  const { documents } = await stage.register([clientText()]);
  expect(verdict(stage, 'billing', secret)).toBe('wrong-secret');
  expect(verdict(stage, 'billing', documents[0]?.secret ?? '')).toBe('accepted');
});

test.each([
  ['a service', 'Service/payments'],
  ['a client with an SVID', 'Client/spiffe://shop.example/ns/default/sa/cart'],
])('%s has no secret to rotate', async (_name, key) => {
  const { stage } = await openStageWith(
    clientText('spiffe://shop.example/ns/default/sa/cart', { authentication: 'svid' }),
  );
  const { id, revision } = await stage.find(key);
  const reply = unwrap(
    await stage.administration.handlers.rotateSecret({ credential: '', id, revision, overlapMs: 0 }),
  );
  expect(reply).toEqual({ problem: expect.stringContaining('it has no secret'), secret: '', state: '' });
});

test('an approval that is about something else ends no secret', async () => {
  const { stage, secret: first } = await openStageWith(clientText('billing', held));
  await stage.change('Client/billing', 'approve', 'bob');
  const { secret: second } = await rotate(stage, 86_400_000);
  await stage.change('Client/billing', 'approve', 'bob');
  await stage.register([clientText('billing', { ...held, roles: ['a'] })]);
  await stage.change('Client/billing', 'approve', 'bob');
  expect([first, second].map((each) => verdict(stage, 'billing', each))).toEqual(['accepted', 'accepted']);
});
