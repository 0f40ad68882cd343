import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { verifyAuditChain } from '#control-plane/audit/record.ts';
import { readRegistrations } from '#control-plane/registry/documents.ts';
import type { RegistryDocument } from '#control-plane/registry/model.ts';
import { wideningOf } from '#control-plane/registry/widening.ts';
import type { RegistryAction } from '#proto/registry-messages.ts';
import { clientText, openRegistryStage, serviceText, type RegistryStage } from '#support/registrations.ts';

const staff = ['alice', 'bob', 'carol'] as const;
const names = ['Client/billing', 'Client/other', 'Service/payments', 'Service/orders'] as const;

const approval = fc.constantFrom('admin', 'none');
const scopes = fc.subarray(['read', 'write'], { minLength: 1 });
const access = fc
  .subarray(['payments', 'orders'], { minLength: 1 })
  .chain((audiences) =>
    fc.tuple(...audiences.map((audience) => fc.record({ audience: fc.constant(audience), scopes }))),
  );
const client = fc.record({
  access,
  approval,
  roles: fc.option(fc.subarray(['a', 'b'], { minLength: 1 }), { nil: undefined }),
  maxLifetime: fc.constantFrom('1m', '5m'),
});
const text = fc.oneof(
  fc
    .record({ name: fc.constantFrom('billing', 'other'), spec: client })
    .map(({ name, spec }) => clientText(name, spec)),
  fc
    .record({ name: fc.constantFrom('payments', 'orders'), spec: fc.record({ scopes, approval }) })
    .map(({ name, spec }) => serviceText(name, spec)),
);
const by = fc.constantFrom(...staff);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('register' as const), by, text }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('change' as const),
      by,
      key: fc.constantFrom(...names),
      action: fc.constantFrom<RegistryAction>('approve', 'approve', 'reject', 'disable', 'enable', 'delete'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rotate' as const), by, key: fc.constantFrom(...names) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1_000, 3_600_000) }) },
);
type StepOf = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What is refused is part of the story. */
async function take(stage: RegistryStage, each: StepOf): Promise<void> {
  if (each.kind === 'wait') return stage.clock.advance(each.ms);
  if (each.kind === 'register') return void (await stage.register([each.text], each.by));
  const known = await stage.find(each.key).catch(() => undefined);
  if (known === undefined) return;
  const { id, revision } = known;
  const seen = { credential: stage.credential(each.by), id, revision };
  const { change, rotateSecret } = stage.administration.handlers;
  if (each.kind === 'rotate') await rotateSecret({ ...seen, overlapMs: 1_000 });
  else await change({ ...seen, action: each.action });
}

const first = { scopes: ['read', 'write'] };
const seen = new Set<unknown>();

test('whatever operators do: what widens has been approved by another one, all of it fits, and a restart changes nothing (S36, S37)', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 30, size: 'max' }), async (steps) => {
      const stage = openRegistryStage();
      await stage.addOperator('alice', 'registrar');
      await stage.addOperator('bob', 'approver', 'registrar');
      await stage.addOperator('carol', 'admin');
      const documents = new Map<string, RegistryDocument>();
      const services = [serviceText('payments', first), serviceText('orders', first)];
      for (const each of services) remember(documents, each);
      await stage.register(services, 'carol');
      for (const each of steps) {
        if (each.kind === 'register') remember(documents, each.text);
        await take(stage, each);
      }
      judgeAudit(stage, documents);
      const { registry } = stage.administration;
      const asked = () => [
        ...['billing', 'other'].map((name) => stage.administration.registry.client(name)),
        ...['payments', 'orders'].map((name) => stage.administration.registry.service(name)),
      ];
      const before = asked();
      for (const found of before.slice(0, 2)) {
        for (const [audience, wanted] of found.ok && 'access' in found.value ? found.value.access : []) {
          const service = registry.service(audience);
          const has = service.ok ? service.value.scopes : undefined;
          if (!service.ok) expect(service.reason).toBe('disabled'); // and neither pending nor gone
          else expect([...wanted].filter((scope) => !has?.has(scope))).toEqual([]);
        }
      }
      stage.restart();
      expect(asked()).toEqual(before);
      expect(stage.events.filter(({ event }) => event === 'registration.unreadable')).toEqual([]);
    }),
    { numRuns: 20 },
  );
  for (const change of ['approved', 'changed', 'deleted', 'registered']) expect(seen).toContain(change); // no empty stories
}, 60_000);

function remember(documents: Map<string, RegistryDocument>, written: string): void {
  const read = readRegistrations(written, 'a.yaml');
  if (!read.ok) throw new Error(JSON.stringify(read.reason));
  for (const { document, raw } of read.value) {
    documents.set(createHash('sha256').update(JSON.stringify(raw)).digest('hex'), document);
  }
}

/** Follows what was in force, record by record. */
function judgeAudit(stage: RegistryStage, documents: ReadonlyMap<string, RegistryDocument>): void {
  expect(verifyAuditChain(stage.store.auditRows())).toMatchObject({ ok: true });
  const inForce = new Map<unknown, RegistryDocument | undefined>();
  for (const row of stage.audit()) {
    if (row['kind'] !== 'registration-changed') continue;
    const before = inForce.get(row['id']);
    const after = documents.get(String(row['inForce']));
    inForce.set(row['id'], after);
    seen.add(row['change']);
    if (row['change'] === 'approved') expect(row['operator']).not.toBe(row['proposedBy']);
    else if (row['change'] === 'deleted') expect(after).toBeUndefined();
    else if (after !== undefined && before === undefined) expect(row['operator']).toBe('carol'); // who is admin
    else if (after !== undefined && before !== undefined) {
      const widening = wideningOf(before, after);
      if (before.approval === 'admin' || after.approval === 'admin') expect(widening).toEqual([]);
      else if (widening.length > 0) expect(row['operator']).toBe('carol');
    }
  }
}
