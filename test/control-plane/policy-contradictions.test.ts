import { describe, expect, test } from 'vitest';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import { openPolicyStage } from '#support/policy-stage.ts';

const peers = (name: string, labels = '', namespace = 'shop', mode = 'STRICT'): string =>
  [
    'apiVersion: security.istio.io/v1',
    'kind: PeerAuthentication',
    `metadata: { name: ${name}, namespace: ${namespace} }`,
    'spec:',
    ...(labels === '' ? [] : [`  selector: { matchLabels: { ${labels} } }`]),
    `  mtls: { mode: ${mode} }`,
    '---\n',
  ].join('\n');
const byApp = 'app: prices';
const byName = 'app.kubernetes.io/name: prices';

async function openStage() {
  const stage = openPolicyStage();
  const register = (name: string) =>
    stage.store.write((writer) => {
      const spiffeId = `spiffe://shop.example/ns/shop/sa/${name}` as SpiffeId;
      writer.addWorkload({ name, namespace: 'shop', spiffeId });
    });
  await stage.store.write((writer) => writer.setUp('shop.example', { source: 'key-file', salt: Buffer.alloc(16) }));
  return { ...stage, register };
}

const selector = { line: 5, column: 3, path: 'spec.selector' };
const namespace = { line: 3, column: 22, path: 'metadata.namespace' };

describe('PeerAuthentications of which nothing says which holds are refused', () => {
  test.each([
    ['one namespace', peers('a'), peers('b'), namespace, 'is for the same namespace as PeerAuthentication shop/a'],
    ['the mesh', peers('a', '', 'istio-system'), peers('b', '', 'istio-system'), namespace, 'istio-system/a'],
    ['one selector', peers('a', byApp), peers('b', byApp), selector, 'the same workload, shop/prices, as PeerAuth'],
    ['a registered workload', peers('a', byApp), peers('b', byName), selector, 'the same workload, shop/prices, as'],
    ['labels that nobody has', peers('a', 'x: y'), peers('b', 'x: y'), selector, 'is about the same workload as Peer'],
  ])('with their place: two for %s', async (...[, first, second, place, problem]) => {
    const { keeper, apply, register } = await openStage();
    await register('prices');
    const told = { file: 'b.yaml', ...place, problem: expect.stringContaining(problem) };
    const files = [
      { name: 'a.yaml', text: first },
      { name: 'b.yaml', text: second },
    ];
    for (const answer of [await keeper.apply(files), await keeper.check(files), await keeper.useFolder(files)]) {
      expect(answer.problems).toEqual([expect.objectContaining(told)]);
    }
    expect(keeper.all()).toEqual([]);
    await apply(first);
    expect((await keeper.apply(files.slice(1))).problems).toEqual([expect.objectContaining(told)]);
    expect(keeper.all()).toHaveLength(1);
  });
});

describe('PeerAuthentications are taken', () => {
  test.each([
    ['of different width', peers('a') + peers('b', byApp) + peers('c', '', 'istio-system')],
    ['of two namespaces', peers('a') + peers('b', '', 'web')],
    ['about two workloads', peers('a', byApp) + peers('b', 'app: cart')],
    [
      'about a workload that nobody registered so far',
      peers('a', 'app: later') + peers('b', 'app.kubernetes.io/name: later'),
    ],
    ['one in the place of itself', peers('a', byApp, 'shop', 'PERMISSIVE')],
  ])('%s', async (_name, text) => {
    const { keeper, apply, register } = await openStage();
    await register('prices');
    await apply(peers('a', byApp));
    await apply(text);
    expect(keeper.revision()).toBe(2);
  });

  test('and those in force keep no other change out when a workload of both comes later', async () => {
    const { keeper, apply, register } = await openStage();
    const both = peers('a', byApp) + peers('b', byName);
    await apply(both);
    await register('prices');
    await apply(both, peers('c', '', 'web'));
    expect(keeper.all()).toHaveLength(3);
  });

  test('in the place of what leaves the folder', async () => {
    const { keeper } = await openStage();
    await keeper.useFolder([{ name: 'a.yaml', text: peers('a', byApp) }]);
    expect(await keeper.useFolder([{ name: 'a.yaml', text: peers('b', byApp) }])).toMatchObject({ problems: [] });
  });
});
