import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import { followPolicyFolder } from '#control-plane/policies/folder.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { openPolicyStage } from '#support/policy-stage.ts';

interface Spec {
  readonly namespace?: string;
  readonly selector?: string;
  readonly rules: string;
  readonly action?: string;
}

const document = ({ namespace = 'shop', selector, rules, action = 'ALLOW' }: Spec): string =>
  [
    'apiVersion: security.istio.io/v1',
    'kind: AuthorizationPolicy',
    `metadata: { name: ${namespace}-rules, namespace: ${namespace} }`,
    'spec:',
    `  action: ${action}`,
    ...(selector === undefined ? [] : [`  selector: { matchLabels: { ${selector} } }`]),
    '  rules:',
    `    - ${rules}`,
    '---\n',
  ].join('\n');
const rootAt = (rootNamespace: string): string =>
  `apiVersion: eastwest.dev/v1\nkind: MeshPolicy\nmetadata: { name: mesh, namespace: ${rootNamespace} }\nspec: { rootNamespace: ${rootNamespace} }\n---\n`;

const paths = "to: [{ operation: { paths: ['/prices/*'] } }]";
const asksPort = (port: number): string => `to: [{ operation: { ports: ['${port}'], methods: [GET] } }]`;

/** ledger of shop speaks TCP on 5432 and HTTP on 80, web of the default namespace HTTP alone. */
async function openStage(folder?: string) {
  const stage = openPolicyStage(folder);
  const register = async (namespace: string, name: string) => {
    const spiffeId = `spiffe://shop.example/ns/${namespace}/sa/${name}` as SpiffeId;
    await stage.store.write((writer) => writer.addWorkload({ name, namespace, spiffeId }));
    return { spiffeId };
  };
  await stage.store.write((writer) => writer.setUp('shop.example', { source: 'key-file', salt: Buffer.alloc(16) }));
  const ledger = await register('shop', 'ledger');
  const web = await register('default', 'web');
  await stage.ports.declare(ledger, [
    { port: 80, protocol: 'http' },
    { port: 5432, protocol: 'tcp' },
  ]);
  await stage.ports.declare(web, [{ port: 8080, protocol: 'auto' }]);
  return { ...stage, ledger };
}

const fix = 'add ports with those that speak HTTP, or notPorts: ["5432"]';
const problem = `cannot be judged on port 5432 of shop/ledger, which speaks TCP: ${fix}`;

describe('a document whose field about HTTP reaches a TCP port is refused', () => {
  test.each<[string, Spec, { line: number; path: string }]>([
    ['a path', { rules: paths }, { line: 7, path: 'spec.rules[0].to[0].operation.paths' }],
    ['a method of that port', { rules: asksPort(5432) }, { line: 7, path: 'spec.rules[0].to[0].operation.methods' }],
    [
      'a header',
      { rules: "when: [{ key: 'request.headers[x-env]', values: [test] }]" },
      { line: 7, path: 'spec.rules[0].when[0].key' },
    ],
    [
      'a path, in a DENY of the selected workload',
      { rules: paths, action: 'DENY', selector: 'app: ledger' },
      { line: 8, path: 'spec.rules[0].to[0].operation.paths' },
    ],
    [
      'a path, by the other label',
      { rules: paths, selector: 'app.kubernetes.io/name: ledger' },
      { line: 8, path: 'spec.rules[0].to[0].operation.paths' },
    ],
    [
      'a path for the whole mesh',
      { rules: paths, namespace: 'istio-system' },
      { line: 7, path: 'spec.rules[0].to[0].operation.paths' },
    ],
  ])('with its place: %s', async (_name, spec, { line, path }) => {
    const { keeper } = await openStage();
    const files = [{ name: 'rules.yaml', text: document(spec) }];
    for (const answer of [await keeper.apply(files), await keeper.check(files), await keeper.useFolder(files)]) {
      expect(answer.problems).toEqual([{ file: 'rules.yaml', line, column: expect.any(Number), path, problem }]);
      expect(answer.problems[0]?.column).toBeGreaterThan(6);
    }
    expect(keeper.all()).toEqual([]);
  });
});

describe('a document is taken', () => {
  test.each<[string, string]>([
    ['whose ports speak HTTP', document({ rules: asksPort(80) })],
    ['that leaves the TCP port out', document({ rules: "to: [{ operation: { notPorts: ['5432'], paths: [/a] } }]" })],
    ['about identity alone', document({ rules: 'from: [{ source: { namespaces: [shop] } }]' })],
    ['that selects another workload', document({ rules: paths, selector: 'app: other' })],
    ['of another namespace', document({ rules: paths, namespace: 'default' })],
    ['of what was the root namespace', document({ rules: paths, namespace: 'istio-system' }) + rootAt('roots')],
    ['of a workload of which nothing is known', document({ rules: asksPort(9000), selector: 'app: later' })],
  ])('%s', async (_name, text) => {
    const { apply, keeper } = await openStage();
    await apply(text);
    expect(keeper.revision()).toBe(1);
  });

  test('and the mesh’s own root namespace counts', async () => {
    const { keeper } = await openStage();
    const text = rootAt('roots') + document({ rules: paths, namespace: 'roots' });
    expect((await keeper.apply([{ name: 'a.yaml', text }])).problems).toMatchObject([{ problem }]);
  });
});

test('what is in force already keeps no other change out when a TCP port comes later', async () => {
  const { keeper, ports, apply } = await openStage();
  const old = document({ rules: paths, namespace: 'default' });
  await apply(old);
  const spiffeId = 'spiffe://shop.example/ns/default/sa/web' as SpiffeId;
  await ports.declare({ spiffeId }, [{ port: 2222, protocol: 'tcp' }]);
  const shut = document({ rules: 'from: [{ source: { namespaces: [bad] } }]', action: 'DENY' });
  await apply(old, shut);
  expect(keeper.all()).toHaveLength(2);
  const edited = document({ rules: asksPort(2222), namespace: 'default' });
  const { problems } = await keeper.apply([{ name: 'a.yaml', text: edited }]);
  expect(problems).toMatchObject([{ problem: expect.stringContaining('port 2222 of default/web') }]);
});

test('a folder that was refused for a TCP port is judged again once that port speaks HTTP', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'eastwest-folder-'));
  writeFileSync(join(dir, 'rules.yaml'), document({ rules: paths }));
  const { keeper, events, emit, ports, ledger } = await openStage(dir);
  const stop = new AbortController();
  const following = followPolicyFolder({ dir, keeper, clock: systemClock, emit }, stop.signal).catch(() => undefined);
  onTestFinished(async () => {
    stop.abort();
    await following;
    rmSync(dir, { recursive: true });
  });
  const refused = () => events.filter(({ event }) => event === 'policy-files.refused');
  await expect
    .poll(refused, { timeout: 5_000 })
    .toMatchObject([{ line: 7, path: expect.stringContaining('paths'), problem }]);
  await ports.declare(ledger, [{ port: 5432, protocol: 'http' }]);
  await expect.poll(() => keeper.revision(), { timeout: 10_000 }).toBe(1);
});
