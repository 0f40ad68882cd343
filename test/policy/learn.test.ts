import { describe, expect, test } from 'vitest';
import { learnedPolicies } from '#policy/learn/learned-policies.ts';
import { Observations, type ObservedCall } from '#policy/learn/observations.ts';
import { isIdentifier } from '#policy/learn/segment-form.ts';
import { operationValue, policyDocument, type Plain } from '#policy/policy-yaml.ts';
import { observedCalls } from '#support/observed-calls.ts';

function observed(calls: readonly ObservedCall[], { minValues = 3, maxBytes = 1_000_000 } = {}): Observations {
  const observations = new Observations({ minValues, maxBytes });
  for (const call of calls) observations.add(call);
  return observations;
}

/** What one caller may do: its operations as documents write them. */
function operationsOf(requests: readonly string[], minValues = 3): readonly Plain[] {
  const [policy] = learnedPolicies(observed(observedCalls(requests), { minValues }).workloads());
  return (policy?.rules[0]?.to ?? []).map((each) => operationValue(each));
}

const gets = (...paths: readonly string[]) => [{ operation: { ports: [7002], methods: ['GET'], paths } }];

describe('paths that are learned', () => {
  test.each([
    ['few numbers are listed', ['/prices/1', '/prices/2'], ['/prices/1', '/prices/2']],
    ['many are one', ['/prices/1', '/prices/2', '/prices/3'], ['/prices/{*}']],
    ['a number that is seen often is one', ['/prices/1', '/prices/1', '/prices/1'], ['/prices/1']],
    ['words stay', ['/api/cart', '/api/orders', '/api/users'], ['/api/cart', '/api/orders', '/api/users']],
    [
      'each place has its own count (A58)',
      ['/g/1/d/1', '/g/1/d/2', '/g/1/d/3', '/g/10/d/1'],
      ['/g/1/d/{*}', '/g/10/d/1'],
    ],
    ['both places', ['/g/1/d/1', '/g/2/d/1', '/g/3/d/1'], ['/g/{*}/d/1']],
    ['values of all that became one count together', ['/g/1/d/1', '/g/2/d/2', '/g/3/d/3'], ['/g/{*}/d/{*}']],
    ['what {*} covers is not listed beside it', ['/u/me', '/u/1', '/u/2', '/u/3'], ['/u/{*}']],
    ['a longer one is', ['/u/me/x', '/u/1', '/u/2', '/u/3'], ['/u/me/x', '/u/{*}']],
    ['the first segment never is one', ['/1', '/2', '/3', '/4'], ['/1', '/2', '/3', '/4']],
    ['nor is the end of a folder', ['/a/', '/a/1/', '/a/2/', '/a/3/'], ['/a/', '/a/{*}/']],
    ['A58: documentsX is no documents', ['/documents/1', '/documentsX/1'], ['/documents/1', '/documentsX/1']],
    ['a path with parameters is there without them too', ['/a;v=1/b'], ['/a/b', '/a;v=1/b']],
    ['the root', ['/'], ['/']],
  ])('%s', (_, seen, paths) => {
    expect(operationsOf(seen.map((path) => `GET ${path}`))).toEqual(gets(...paths));
  });

  test('words become one at ten times as many', () => {
    const names = Array.from({ length: 20 }, (_, index) => `GET /users/name-${String.fromCharCode(97 + index)}`);
    expect(operationsOf(names.slice(1), 2)).toEqual(gets(...names.slice(1).map((each) => each.slice(4))));
    expect(operationsOf(names, 2)).toEqual(gets('/users/{*}'));
  });

  test.each([
    ['42', true],
    ['2026-01-31', true],
    ['1.2.3', true],
    ['6BA7B810-9dad-11d1-80b4-00c04fd430c8', true],
    ['65f1c0ffee0065f1c0ffee00', true],
    ['01ARZ3NDEKTSV4RRFFQ69G5FAV', true],
    ['dQw4w9WgXcQ-dQw4w9WgXcQ', true],
    ['tea', false],
    ['v1', false],
    ['deadbeefcafe', false],
    ['order-42', false],
    ['documents', false],
    ['a-very-long-name-of-a-page-2', false],
    ['', false],
  ])('%s is made for one thing: %s', (segment, is) => {
    expect(isIdentifier(segment)).toBe(is);
  });
});

describe('rules that are learned', () => {
  test('name ports, methods and paths only in combinations that were seen', () => {
    expect(operationsOf(['GET /a', 'PUT /a', 'GET /b', 'PUT /b', 'GET /c', 'GET :81 /c'])).toEqual([
      { operation: { ports: [81], methods: ['GET'], paths: ['/c'] } },
      { operation: { ports: [7002], methods: ['GET', 'PUT'], paths: ['/a', '/b'] } },
      { operation: { ports: [7002], methods: ['GET'], paths: ['/c'] } },
    ]);
    expect(operationsOf(['GET :81 /a', 'GET :82 /a'])).toEqual([
      { operation: { ports: [81, 82], methods: ['GET'], paths: ['/a'] } },
    ]);
  });

  test('open a port to who used it as opaque, and say nothing else of it', () => {
    expect(operationsOf(['tcp :5432', 'GET :5432 /a', 'tcp :5433', 'GET /b'])).toEqual([
      { operation: { ports: [5432, 5433] } },
      ...gets('/b'),
    ]);
  });

  test('are shared by callers who did the same, in one policy of each workload', () => {
    const calls = [
      ...observedCalls(['GET /a'], { from: 'web' }),
      ...observedCalls(['GET /a'], { from: 'cart' }),
      ...observedCalls(['GET /a', 'GET /b'], { from: 'batch' }),
      ...observedCalls(['GET /a'], { from: 'cart', to: 'other/prices' }),
    ];
    expect(learnedPolicies(observed(calls).workloads()).map(policyDocument)).toEqual([
      {
        apiVersion: 'eastwest.dev/v1',
        kind: 'AuthorizationPolicy',
        metadata: { name: 'learned-prices', namespace: 'other' },
        spec: {
          selector: { matchLabels: { app: 'prices' } },
          action: 'ALLOW',
          rules: [{ from: [{ source: { principals: ['a.test/ns/shop/sa/cart'] } }], to: gets('/a') }],
        },
      },
      {
        apiVersion: 'eastwest.dev/v1',
        kind: 'AuthorizationPolicy',
        metadata: { name: 'learned-prices', namespace: 'shop' },
        spec: {
          selector: { matchLabels: { app: 'prices' } },
          action: 'ALLOW',
          rules: [
            { from: [{ source: { principals: ['a.test/ns/shop/sa/batch'] } }], to: gets('/a', '/b') },
            {
              from: [{ source: { principals: ['a.test/ns/shop/sa/cart', 'a.test/ns/shop/sa/web'] } }],
              to: gets('/a'),
            },
          ],
        },
      },
    ]);
  });

  test.each(['GET /a*b', 'GET /a/*', 'GET /{id}', 'OPTIONS *', 'G*T /a', 'get /a'])(
    '%s is left out: a document would read more than that in it',
    (request) => {
      const observations = new Observations({ minValues: 3, maxBytes: 1_000_000 });
      for (const call of observedCalls([request])) expect(observations.add(call)).toBe('unwritable');
      expect(observations.workloads()).toEqual([]);
    },
  );
});

describe('memory', () => {
  test('is bounded: what is new finds no room, what is known is counted on', () => {
    const observations = new Observations({ minValues: 3, maxBytes: 50_000 });
    const [first, ...calls] = observedCalls(Array.from({ length: 10_000 }, (_, index) => `GET /x${index}/y`));
    if (first === undefined) throw new Error('no call');
    observations.add(first);
    const taken = calls.map((call) => observations.add(call));
    expect(new Set(taken)).toEqual(new Set(['taken', 'no-room']));
    expect(taken.at(-1)).toBe('no-room');
    expect(observations.add(first)).toBe('taken');
    expect(observations.workloads()[0]?.callers[0]?.ports[0]?.methods[0]?.routes.at(0)).toMatchObject({ calls: 2 });
  });

  test('holds what is written in the end: any number of identifiers has room', () => {
    const observations = new Observations({ minValues: 3, maxBytes: 10_000 });
    const calls = observedCalls(Array.from({ length: 10_000 }, (_, index) => `GET /x/${index}/y/${index % 7}`));
    expect(new Set(calls.map((call) => observations.add(call)))).toEqual(new Set(['taken']));
    expect(observations.workloads()[0]?.callers[0]?.ports[0]?.methods[0]?.routes).toEqual([
      { path: '/x/{*}/y/{*}', isTemplate: true, calls: 10_000 },
    ]);
  });
});
