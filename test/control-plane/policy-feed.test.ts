import { describe, expect, test } from 'vitest';
import type { PolicyDelta } from '#control-plane/discovery/policy-feed.ts';
import { createPolicyFeed } from '#control-plane/discovery/policy-feed.ts';
import type { StoredPolicy } from '#control-plane/store/store.ts';
import { encodeWatchResponse, maxMessageBytes } from '#proto/messages.ts';

const policy = (name: string, more: Partial<StoredPolicy> = {}): StoredPolicy => ({
  kind: 'AuthorizationPolicy',
  namespace: 'default',
  name,
  json: '{}',
  revision: 1,
  source: '',
  ...more,
});
const meshPolicy = (rootNamespace: string, revision: number): StoredPolicy =>
  policy('mesh', {
    kind: 'MeshPolicy',
    revision,
    json: JSON.stringify({
      apiVersion: 'eastwest.dev/v1',
      kind: 'MeshPolicy',
      metadata: { name: 'mesh' },
      spec: { rootNamespace },
    }),
  });

function show(delta: PolicyDelta | undefined): string | undefined {
  if (delta === undefined) return undefined;
  const documents = delta.parts.flatMap((part) => part.documents.map(({ name }) => name));
  const gone = delta.parts.flatMap((part) => part.gone.map(({ name }) => `-${name}`));
  return [delta.isWhole ? 'all' : 'delta', ...documents, ...gone].join(' ');
}

describe('what concerns an agent', () => {
  const all = [
    policy('own'),
    policy('other', { namespace: 'shop' }),
    policy('root', { namespace: 'istio-system' }),
    policy('strict', { kind: 'PeerAuthentication', namespace: 'shop' }),
    policy('denied', { kind: 'DenyList', namespace: 'security' }),
    policy('scopes', { kind: 'ScopeTemplates', namespace: 'security' }),
  ];

  test('is its namespace, the root namespace and what holds for the whole mesh (A46)', () => {
    const feed = createPolicyFeed(all, 1);
    expect(show(feed.since(undefined, 'default'))).toBe('all own root denied scopes');
    expect(show(feed.since(undefined, 'shop'))).toBe('all other root strict denied scopes');
  });

  test('is another question once the root namespace is another: everybody gets the whole set', () => {
    const feed = createPolicyFeed(all, 1);
    feed.take({ revision: 2, changed: [meshPolicy('shop', 2)], gone: [] });
    expect(show(feed.since(1, 'default'))).toBe('all own other strict denied scopes mesh');
    feed.take({ revision: 3, changed: [], gone: [meshPolicy('shop', 2)] });
    expect(show(feed.since(2, 'default'))).toBe('all own root denied scopes');
  });
});

describe('what differs', () => {
  test('is what changed and what went since, once, and nothing for those it does not concern', () => {
    const feed = createPolicyFeed([policy('a'), policy('b')], 1);
    feed.take({ revision: 2, changed: [policy('a', { revision: 2 })], gone: [] });
    feed.take({
      revision: 3,
      changed: [policy('a', { revision: 3 }), policy('c', { revision: 3 })],
      gone: [policy('b')],
    });
    expect(show(feed.since(1, 'default'))).toBe('delta a c -b');
    expect(show(feed.since(2, 'default'))).toBe('delta a c -b');
    expect(show(feed.since(3, 'default'))).toBeUndefined();
    expect(show(feed.since(1, 'shop'))).toBeUndefined();
    feed.take({ revision: 4, changed: [policy('b', { revision: 4 })], gone: [] });
    expect(show(feed.since(1, 'default'))).toBe('delta a c b'); // gone and back
  });

  test('is the whole set for whoever is behind what is remembered of things gone', () => {
    const many = Array.from({ length: 10_050 }, (_none, index) => policy(`p${index}`));
    const feed = createPolicyFeed(many, 1);
    for (const [index, gone] of many.entries()) feed.take({ revision: index + 2, changed: [], gone: [gone] });
    expect(show(feed.since(1, 'default'))).toBe('all');
    expect(feed.since(51, 'default')?.parts.flatMap(({ gone }) => gone)).toHaveLength(10_000);
  });
});

test('parts are below the limit of a message, and hold every document once', () => {
  const large = Array.from({ length: 50 }, (_none, index) =>
    policy(`${'n'.repeat(200)}${index}`, { json: JSON.stringify('ü'.repeat(index * 1300)) }),
  );
  const { parts = [] } = createPolicyFeed(large, 1).since(undefined, 'default') ?? {};
  const sizes = parts.map((part, index) => {
    const policies = { revision: 2 ** 50, sinceRevision: 0, part: index + 1, parts: parts.length, ...part };
    return encodeWatchResponse({ kind: 'policies', version: 2 ** 50, policies }).length;
  });
  expect(Math.max(...sizes)).toBeLessThan(maxMessageBytes);
  expect(parts.length).toBeGreaterThan(5);
  expect(parts.flatMap(({ documents }) => documents.map(({ name }) => name))).toEqual(large.map(({ name }) => name));
});
