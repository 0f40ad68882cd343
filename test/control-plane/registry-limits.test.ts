import { expect, test } from 'vitest';
import { owner } from '#control-plane/operators/roles.ts';
import type { Registration } from '#control-plane/registry/model.ts';
import { planRegister } from '#control-plane/registry/plan.ts';
import { readWanted, type WantedDocument } from '#control-plane/registry/read.ts';
import { registerNew } from '#control-plane/registry/transitions.ts';
import { clientText, serviceText } from '#support/registrations.ts';

const parts = { by: owner, nowMs: 1 };

async function wantedOf(...texts: readonly string[]): Promise<readonly WantedDocument[]> {
  const wanted = await readWanted([{ name: 'a.yaml', text: texts.join('\n---\n') }]);
  if (!wanted.ok) throw new Error(JSON.stringify(wanted.reason));
  return wanted.value;
}

async function many(count: number): Promise<Map<string, Registration>> {
  const [written] = await wantedOf(serviceText());
  const step = written && registerNew('id', written, parts);
  if (step?.ok !== true) throw new Error('not registered');
  const { next } = step.value;
  return new Map(Array.from({ length: count }, (_none, n) => [`Service/s${n}`, { ...next, name: `s${n}` }]));
}

test('there is room for 20,000 registrations, all of which are in memory (A70)', async () => {
  const registrations = await many(19_999);
  const known = { registrations, tombstones: new Map(), unreadable: new Set<string>() };
  expect(planRegister(known, await wantedOf(serviceText()), parts)).toMatchObject({ ok: true });
  expect(planRegister(known, await wantedOf(serviceText(), serviceText('another')), parts)).toMatchObject({
    ok: false,
    reason: [{ path: 'metadata.name', problem: expect.stringContaining('there is room for 20000') }],
  });
});

test('others have their turns while many documents are read', async () => {
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const texts = Array.from({ length: 1_000 }, (_none, n) => clientText(`c${n}`));
  expect(await wantedOf(...texts)).toHaveLength(1_000);
  isOver = true;
  expect(turns).toBeGreaterThan(15); // 250 KiB of text
});

test('a document of more than 256 KiB is refused', async () => {
  const name = (n: number) => `${n}`.padEnd(120, 'x');
  const scopes = Array.from({ length: 18 }, (_none, n) => name(n));
  const access = Array.from({ length: 120 }, (_none, n) => ({ audience: name(n), scopes }));
  const wanted = await readWanted([{ name: 'a.yaml', text: clientText('billing', { access }) }]);
  expect(wanted).toMatchObject({ ok: false, reason: [{ problem: expect.stringContaining('262144 are allowed') }] });
});
