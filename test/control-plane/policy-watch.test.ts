import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { PolicySet } from '#agent/policy/part-gatherer.ts';
import { PolicyBook } from '#agent/policy/policy-book.ts';
import type { WatchResponse } from '#proto/messages.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { freshFolder } from '#support/fresh-folder.ts';
import { allowText, documents } from '#support/mesh-policies.ts';
import { options, startTestControlPlane, type TestControlPlane } from '#support/start-control-plane.ts';

type Judge = (documents: readonly unknown[]) => string | undefined;

/** An agent's part of the watch: its own book, on real gRPC. */
async function listen(mesh: TestControlPlane, workload: string, judge: Judge = () => undefined) {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const stream = mesh.client(await mesh.join(workload)).watch(stop.signal);
  const heard: WatchResponse[] = [];
  const mood = { answers: true };
  let inForce: PolicySet | undefined;
  const book = new PolicyBook({
    onChange(all, revision) {
      const problem = judge(all);
      if (problem === undefined) inForce = { revision, documents: all };
      return { isInForce: problem === undefined, problem };
    },
    onApplied: () => undefined,
    emit: () => undefined,
  });
  const take = book.openStream();
  await stream.send({ kind: 'subscribe', upstreams: [], endpoints: [], agentVersion: 'test', ports: [] });
  void (async () => {
    for await (const message of stream.messages) {
      heard.push(message);
      const problem = message.kind === 'policies' ? take(message.policies) : '';
      if (mood.answers) await stream.send({ kind: 'acknowledge', version: message.version, problem });
    }
  })().catch(() => undefined);
  const names = () => inForce?.documents.map((each) => (each as { metadata: { name: string } }).metadata.name);
  return { heard, mood, names, revision: () => inForce?.revision, leave: () => stop.abort() };
}

async function apply(mesh: TestControlPlane, ...texts: readonly string[]) {
  const reply = await mesh.admin.policies.apply([{ name: 'a.yaml', text: documents(...texts) }], options);
  if (!reply.ok) throw new Error(reply.reason.reason);
  return reply.value;
}

async function statusOf(mesh: TestControlPlane, workload: string) {
  const status = await mesh.admin.policies.status(options);
  return status.ok ? status.value.workloads.find(({ name }) => name === workload) : undefined;
}

test('an agent has what concerns it, follows changes, and says so (M8, A67)', async () => {
  await using mesh = await startTestControlPlane();
  await apply(mesh, allowText('one'), allowText('elsewhere', { namespace: 'shop' }));
  const agent = await listen(mesh, 'prices');
  await expect.poll(agent.names).toEqual(['one']);
  await apply(mesh, allowText('two'));
  await expect.poll(agent.names).toEqual(['one', 'two']);
  await mesh.admin.policies.delete({ kind: 'AuthorizationPolicy', namespace: 'default', name: 'one' }, options);
  await expect.poll(agent.names).toEqual(['two']);
  await expect.poll(() => statusOf(mesh, 'prices')).toMatchObject({ agentsConnected: 1, agentsCurrent: 1, behind: [] });
  agent.leave();
  await expect.poll(() => statusOf(mesh, 'prices')).toMatchObject({ agentsConnected: 0, agentsCurrent: 0 });
});

test('who is behind is named, with since when and why', async () => {
  await using mesh = await startTestControlPlane();
  const refusing = await listen(mesh, 'prices', (all) => (all.length > 0 ? 'spec.rules[0]: not here' : undefined));
  const silent = await listen(mesh, 'orders');
  await expect.poll(() => statusOf(mesh, 'orders')).toMatchObject({ agentsCurrent: 1 });
  silent.mood.answers = false;
  const beganMs = systemClock.now();
  await apply(mesh, allowText('one'));
  await expect
    .poll(() => statusOf(mesh, 'prices'))
    .toMatchObject({
      agentsCurrent: 0,
      behind: [{ revision: 0, problem: 'spec.rules[0]: not here' }],
    });
  expect(refusing.names()).toEqual([]); // the last good set
  const behind = (await statusOf(mesh, 'orders'))?.behind ?? [];
  expect(behind).toMatchObject([{ revision: 0, problem: '', address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) }]);
  expect(behind[0]?.sinceMs).toBeGreaterThanOrEqual(Math.floor(beganMs));
  expect(mesh.events).toContainEqual(
    expect.objectContaining({ event: 'watch.not-applied', problem: 'spec.rules[0]: not here' }),
  );
});

test('a storm of changes: each agent hears the newest, in far fewer pushes, and an agent that does not answer costs nothing', async () => {
  await using mesh = await startTestControlPlane();
  const agent = await listen(mesh, 'prices');
  const silent = await listen(mesh, 'orders');
  await expect.poll(agent.names).toEqual([]);
  await expect.poll(silent.names).toEqual([]);
  silent.mood.answers = false;
  for (let change = 1; change <= 200; change += 1) await apply(mesh, allowText('one', { path: `/${change}` }));
  await expect.poll(agent.revision).toBe(200);
  const pushes = (heard: readonly WatchResponse[]) => heard.filter(({ kind }) => kind === 'policies').length;
  expect(pushes(agent.heard)).toBeLessThan(120);
  expect(pushes(silent.heard)).toBe(2);
}, 30_000);

test('a revision of many parts arrives whole, and over a restart the revision goes on', async () => {
  await using mesh = await startTestControlPlane();
  const many = Array.from({ length: 1_000 }, (_none, index) => allowText(`p${index}`, { path: `/${'x'.repeat(500)}` }));
  await apply(mesh, ...many);
  const first = await listen(mesh, 'prices');
  await expect.poll(() => first.names()?.length).toBe(1_000);
  const parts = first.heard.flatMap((message) => (message.kind === 'policies' ? [message.policies] : []));
  expect(parts.length).toBeGreaterThan(3);
  expect(parts.map(({ part }) => part)).toEqual(parts.map((_part, index) => index + 1));
  await mesh.restart();
  const again = await listen(mesh, 'prices');
  await expect.poll(() => again.names()?.length).toBe(1_000);
  expect(await apply(mesh, allowText('p7'))).toMatchObject({ revision: 2, changes: [{ outcome: 'changed' }] });
}, 30_000);

test('what is written into the folder reaches the agents; the operator is told where it comes from', async () => {
  await using folder = freshFolder();
  await using mesh = await startTestControlPlane({ policies: folder.path });
  const agent = await listen(mesh, 'prices');
  await writeFile(join(folder.path, 'a.yaml'), allowText('one'));
  await expect.poll(agent.names, { timeout: 5_000 }).toEqual(['one']);
  expect((await apply(mesh, allowText('one', { path: '/x' }))).problems).toMatchObject([
    { problem: `AuthorizationPolicy/default/one comes from ${join(folder.path, 'a.yaml')}: change it there` },
  ]);
  await apply(mesh, allowText('two'));
  await expect.poll(agent.names).toEqual(['one', 'two']);
  await mesh.restart();
  const status = await mesh.admin.policies.status(options);
  expect(status).toMatchObject({ ok: true, value: { revision: 2, documents: 2 } }); // the folder is as it was
});
