import { describe, expect, test } from 'vitest';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import { verifyAuditChain } from '#control-plane/audit/record.ts';
import { createPolicyKeeper } from '#control-plane/policies/keeper.ts';
import { maxPolicyBytes } from '#control-plane/policies/read.ts';
import type { Store } from '#control-plane/store/store.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { openPolicyStage, type PolicyStage } from '#support/policy-stage.ts';
import { allowText, documents, meshPolicyText } from '#support/mesh-policies.ts';

const cart = { kind: 'AuthorizationPolicy', namespace: 'default', name: 'cart' };
/** After a restart, without a folder. */
const rebornKeeper = ({ store, emit }: Pick<PolicyStage, 'store' | 'emit'>) =>
  createPolicyKeeper({
    ...{ store, folder: undefined, declared: { version: () => 0, workloads: () => [] } },
    ...{ trustDomain: 'shop.example', clock: systemClock, emit },
    onNews: () => undefined,
  });
const file = (text: string, name = 'a.yaml') => [{ name, text }];

describe('an apply', () => {
  test('says of each document what became of it, and counts one revision for all that differ', async () => {
    const { keeper } = openPolicyStage();
    const first = await keeper.apply(file(documents(allowText('cart'), allowText('orders'))));
    expect(first).toMatchObject({
      revision: 1,
      problems: [],
      changes: [{ outcome: 'created' }, { outcome: 'created' }],
    });
    const text = documents(allowText('cart'), allowText('orders', { path: '/orders' }), allowText('new'));
    const second = await keeper.apply(file(text));
    expect(second.changes.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['cart', 'unchanged'],
      ['orders', 'changed'],
      ['new', 'created'],
    ]);
    expect(keeper.all().map(({ name, revision }) => [name, revision])).toEqual([
      ['cart', 1],
      ['orders', 2],
      ['new', 2],
    ]);
    expect(await keeper.apply(file(text))).toMatchObject({ revision: 2 }); // nothing differs
  });

  test('is kept over a restart, and every change is in the audit log', async () => {
    const { keeper, store, emit, apply } = openPolicyStage();
    await apply(allowText('cart'));
    await apply(allowText('cart', { path: '/other' }));
    await keeper.delete(cart);
    await apply(allowText('orders'));
    const reborn = rebornKeeper({ store, emit });
    expect(reborn.revision()).toBe(4);
    expect(reborn.all()).toEqual(keeper.all());
    const rows = [...store.auditRows()].map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    expect(rows.map(({ kind, policy, change, revision }) => [kind, policy, change, revision])).toEqual([
      ['policy-changed', 'AuthorizationPolicy/default/cart', 'created', 1],
      ['policy-changed', 'AuthorizationPolicy/default/cart', 'changed', 2],
      ['policy-changed', 'AuthorizationPolicy/default/cart', 'deleted', 3],
      ['policy-changed', 'AuthorizationPolicy/default/orders', 'created', 4],
    ]);
    expect(verifyAuditChain(store.auditRows())).toMatchObject({ ok: true });
  });

  const longPaths = Array.from({ length: maxPolicyBytes / 1024 }, (_none, index) => `/${index}${'x'.repeat(1024)}`);
  const big = allowText('big', { path: longPaths.join() });
  test.each([
    ['a field that nobody knows', 'spec: { rulez: [] }', { line: 4, column: 9, path: 'spec.rulez' }],
    ['one name in two files', undefined, { file: 'b.yaml', line: 3, path: 'metadata.name' }],
    ['a second MeshPolicy', meshPolicyText('other', 'root'), { path: 'metadata.name', problem: /one MeshPolicy/ }],
    [
      'a text that is too long',
      documents(allowText('a'), `#${'x'.repeat(262_144)}`),
      { line: 9, problem: /262149 ch/ },
    ],
    ['a document that is too large', big, { path: 'metadata.name', problem: /131072 are allowed/ }],
  ])('with %s changes nothing at all, and says where (A67)', async (_name, text, where) => {
    const { keeper, apply } = openPolicyStage();
    await apply(meshPolicyText('mesh', 'istio-system'));
    const bad = text?.startsWith('spec') ? allowText('bad').replace(/spec:[^]*/, text) : (text ?? allowText('fine'));
    const { problems, changes, revision } = await keeper.apply([...file(allowText('fine')), ...file(bad, 'b.yaml')]);
    const { problem = /./, ...place } = where as { problem?: RegExp };
    expect(problems[0]).toMatchObject({ file: 'b.yaml', ...place, problem: expect.stringMatching(problem) });
    expect({ changes, revision }).toEqual({ changes: [], revision: 1 });
    expect(keeper.all()).toHaveLength(1);
  });

  test('of many at once counts them one after the other', async () => {
    const { keeper } = openPolicyStage();
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_none, index) => keeper.apply(file(allowText(`p${index}`)))),
    );
    expect(replies.map(({ revision }) => revision)).toEqual(Array.from({ length: 20 }, (_none, index) => index + 1));
  });

  test('of many at once is written together, each with its own revision, news and audit record', async () => {
    const { store, ports: declared, emit } = openPolicyStage();
    const news: number[] = [];
    let writes = 0;
    const counting: Store = { ...store, write: (work) => ((writes += 1), store.write(work)) };
    const parts = {
      store: counting,
      folder: undefined,
      declared,
      trustDomain: 'shop.example',
      clock: systemClock,
      emit,
    };
    const keeper = createPolicyKeeper({ ...parts, onNews: ({ revision }) => news.push(revision) });
    const applied = Array.from({ length: 20 }, (_none, index) =>
      keeper.apply(file(allowText(index % 2 === 0 ? 'cart' : 'web', { path: `/${index}` }))),
    );
    await Promise.all(applied);
    expect(writes).toBeLessThan(5);
    expect(news).toEqual(Array.from({ length: 20 }, (_none, index) => index + 1));
    expect(store.policies().map(({ name, revision }) => [name, revision])).toEqual([
      ['cart', 19],
      ['web', 20],
    ]);
    const changes = [...store.auditRows()].map(({ body }) => (JSON.parse(body) as { change: string }).change);
    expect(changes).toEqual(['created', 'created', ...Array<string>(18).fill('changed')]);
  });

  test('that cannot be written changes nothing, also of those that were written with it, and the next one goes on', async () => {
    const { store, ports: declared, emit } = openPolicyStage();
    let isFull = true;
    const full: Store = {
      ...store,
      write: (work) => (isFull ? Promise.reject(new Error('disk full')) : store.write(work)),
    };
    const news: number[] = [];
    const parts = { store: full, folder: undefined, declared, trustDomain: 'shop.example', clock: systemClock, emit };
    const keeper = createPolicyKeeper({ ...parts, onNews: ({ revision }) => news.push(revision) });
    const both = await Promise.allSettled([keeper.apply(file(allowText('a'))), keeper.apply(file(allowText('b')))]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect({ revision: keeper.revision(), all: keeper.all(), news }).toEqual({ revision: 0, all: [], news: [] });
    isFull = false;
    expect(await keeper.apply(file(allowText('c')))).toMatchObject({ revision: 1, changes: [{ outcome: 'created' }] });
  });

  test('of a megabyte leaves others their turn while it is read', async () => {
    const { keeper } = openPolicyStage();
    const text = documents(...Array.from({ length: 3_000 }, (_none, index) => allowText(`p${index}`)));
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const { problems, changes } = await keeper.check(file(text)).finally(() => (isOver = true));
    expect({ problems, changes: changes.length }).toEqual({ problems: [], changes: 3_000 });
    expect(turns).toBeGreaterThan(text.length / 10_240);
  });

  test('that is only checked tells both texts and changes nothing', async () => {
    const { keeper, apply } = openPolicyStage();
    await apply(allowText('cart'));
    const { changes } = await keeper.check(file(allowText('cart', { path: '/other' })));
    expect(changes).toMatchObject([
      { outcome: 'changed', before: expect.stringContaining('/prices'), after: expect.stringContaining('/other') },
    ]);
    expect(keeper.revision()).toBe(1);
  });
});

describe('documents that come from a folder', () => {
  test('cannot be changed or deleted by the operator, and the other way round', async () => {
    const { keeper } = openPolicyStage('/etc/policies');
    await keeper.useFolder(file(allowText('cart'), '/etc/policies/a.yaml'));
    await keeper.apply(file(allowText('orders')));
    const applied = await keeper.apply(file(allowText('cart', { path: '/other' })));
    expect(applied.problems).toMatchObject([
      { problem: 'AuthorizationPolicy/default/cart comes from /etc/policies/a.yaml: change it there' },
    ]);
    expect(await keeper.delete(cart)).toMatchObject({ problem: expect.stringContaining('comes from') });
    const followed = await keeper.useFolder(file(allowText('orders'), '/etc/policies/a.yaml'));
    expect(followed.problems).toMatchObject([
      { file: '/etc/policies/a.yaml', line: 3, problem: expect.stringContaining('was applied by the operator; first') },
    ]);
    expect(keeper.all().map(({ name, source }) => [name, source])).toEqual([
      ['cart', '/etc/policies/a.yaml'],
      ['orders', ''],
    ]);
  });

  test('go when the folder no longer has them; what the operator applied stays', async () => {
    const { keeper, events } = openPolicyStage('/etc/policies');
    await keeper.apply(file(allowText('orders')));
    await keeper.useFolder(file(documents(allowText('a'), allowText('b'))));
    await keeper.useFolder(file(allowText('b')));
    expect(keeper.all().map(({ name }) => name)).toEqual(['orders', 'b']);
    expect(events.at(-1)).toEqual({ event: 'policies.changed', revision: 3, created: 0, changed: 0, deleted: 1 });
  });

  test('belong to the operator once no folder is followed', async () => {
    const { keeper, store, emit } = openPolicyStage('/etc/policies');
    await keeper.useFolder(file(allowText('cart')));
    const next = rebornKeeper({ store, emit });
    expect(await next.delete(cart)).toEqual({ revision: 2, problem: '' });
  });
});

test('a policy that is not there cannot be deleted', async () => {
  const { keeper } = openPolicyStage();
  expect(await keeper.delete(cart)).toEqual({ revision: 0, problem: 'there is no AuthorizationPolicy/default/cart' });
});

test.each([
  [
    'a DENY of GET lets HEAD pass',
    'action: DENY, rules: [{ to: [{ operation: { methods: [GET] } }] }]',
    'lets HEAD pass',
  ],
  ['another trust domain', "rules: [{ from: [{ source: { principals: ['cluster.local/*'] } }] }]", 'cluster.local'],
  ['a path with two spellings', 'action: DENY, rules: [{ to: [{ operation: { paths: [/a@b] } }] }]', 'misses /a%40b'],
])('%s: that is in force, and told beside the change', async (_what, spec, problem) => {
  const { keeper } = openPolicyStage();
  const text = `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: a }\nspec: { ${spec} }\n`;
  const warning = { file: 'a.yaml', line: 4, problem: expect.stringContaining(problem) };
  expect(await keeper.check(file(text))).toMatchObject({ problems: [], warnings: [warning] });
  expect(await keeper.apply(file(text))).toMatchObject({ revision: 1, problems: [], warnings: [warning] });
});

test('a deny list that is for one namespace is told so, by the root namespace of this mesh', async () => {
  const { keeper, apply } = openPolicyStage();
  await apply(meshPolicyText('mesh', 'root'));
  const list = (namespace: string) =>
    `apiVersion: eastwest.dev/v1\nkind: DenyList\nmetadata: { name: a, namespace: ${namespace} }\nspec: { entries: [] }\n`;
  const problem = 'shuts out from workloads of istio-system alone: one in root is for all';
  expect(await keeper.check(file(list('istio-system')))).toMatchObject({
    warnings: [{ path: 'metadata.namespace', problem }],
  });
  expect(await keeper.check(file(list('root')))).toMatchObject({ warnings: [] });
});

describe('a selector that is about nobody', () => {
  const selecting = (kind: string, labels: string, namespace = 'shop') =>
    `apiVersion: security.istio.io/v1\nkind: ${kind}\nmetadata: { name: a, namespace: ${namespace} }\nspec: { selector: { matchLabels: { ${labels} } } }\n`;
  const openMesh = async () => {
    const stage = openPolicyStage();
    const spiffeId = 'spiffe://shop.example/ns/shop/sa/prices' as SpiffeId;
    await stage.store.write((writer) => writer.addWorkload({ name: 'prices', namespace: 'shop', spiffeId }));
    return stage;
  };
  const nobody = 'no workload that is registered in shop has these labels';

  test.each([
    ['a name that is misspelt', selecting('AuthorizationPolicy', 'app: price'), nobody],
    ['two names', selecting('AuthorizationPolicy', 'app: prices, app.kubernetes.io/name: cart'), nobody],
    ['a label that workloads do not have', selecting('PeerAuthentication', 'tier: web'), nobody],
    [
      'a workload of another namespace',
      selecting('AuthorizationPolicy', 'app: prices', 'web'),
      'no workload that is registered in web has these labels: prices is of the namespace shop',
    ],
    [
      'in the root namespace, a PeerAuthentication',
      selecting('PeerAuthentication', 'app: prices', 'istio-system'),
      'no workload that is registered in istio-system has these labels: prices is of the namespace shop',
    ],
    [
      'in the root namespace, a name of nobody',
      selecting('AuthorizationPolicy', 'app: price', 'istio-system'),
      'no workload that is registered has these labels',
    ],
  ])('%s: is told so, and in force', async (_what, text, problem) => {
    const { keeper } = await openMesh();
    const warning = { file: 'a.yaml', line: 4, column: 9, path: 'spec.selector', problem };
    expect(await keeper.check(file(text))).toMatchObject({ problems: [], warnings: [warning] });
    expect(await keeper.apply(file(text))).toMatchObject({ revision: 1, problems: [], warnings: [warning] });
  });

  test.each([
    ['has its label', selecting('AuthorizationPolicy', 'app: prices')],
    ['has both', selecting('PeerAuthentication', 'app: prices, app.kubernetes.io/name: prices')],
    ['is of a namespace, and the policy of the root', selecting('AuthorizationPolicy', 'app: prices', 'istio-system')],
  ])('is not told where a workload %s', async (_what, text) => {
    const { keeper } = await openMesh();
    expect(await keeper.check(file(text))).toMatchObject({ problems: [], warnings: [] });
  });

  test('is not told where no workload is registered so far, nor of the folder, which is read before', async () => {
    const { keeper } = openPolicyStage();
    expect(await keeper.check(file(selecting('AuthorizationPolicy', 'app: price')))).toMatchObject({ warnings: [] });
    const { keeper: other } = await openMesh();
    expect(await other.useFolder(file(selecting('AuthorizationPolicy', 'app: price')))).toMatchObject({ warnings: [] });
  });
});

test('no more than a hundred warnings are told, and how many there are', async () => {
  const { keeper } = openPolicyStage();
  const many = Array.from({ length: 105 }, (_, n) => allowText(`p${n}`).replaceAll('shop.example/', 'far.example/'));
  const { warnings } = await keeper.check(file(documents(...many)));
  expect(warnings).toHaveLength(101);
  expect(warnings.at(-1)).toMatchObject({ path: '', problem: 'and 5 more' });
});
