import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compilePolicies } from '#policy/compile.ts';
import { decide } from '#policy/decide.ts';
import { readPolicies } from '#policy/documents.ts';
import { learnedPolicies } from '#policy/learn/learned-policies.ts';
import { Observations, type ObservedCall } from '#policy/learn/observations.ts';
import { PolicyUse } from '#policy/learn/policy-use.ts';
import type { PolicyDocument } from '#policy/model.ts';
import { policyDocument } from '#policy/policy-yaml.ts';
import { writeDocument } from '#runtime/documents.ts';
import { spiffeId } from '#support/policies.ts';

const minValues = 2;
const minWords = 20;

const word = fc.nat(29).map((n) => `w${n}`);
const segment = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('a', 'b', 'groups', 'documents', 'x.y', 'a%20b') },
  { weight: 3, arbitrary: fc.nat(5).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('6ba7b810-9dad-11d1-80b4-00c04fd430c8', '0af7651916cd43dd8448eb211c80319c') },
  { weight: 3, arbitrary: word },
);
const plainPath = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([segments, isFolder]) => `/${segments.join('/')}${isFolder ? '/' : ''}`);
const withParameters = fc
  .tuple(plainPath, fc.constantFrom(';v=1', ';', ';a;b'))
  .map(([path, end]) => path.replace(/(?<=.)(?=\/|$)/, end));

const workload = fc
  .constantFrom('shop', 'web')
  .map((namespace) => ({ trustDomain: 'prod.example', namespace, name: 'prices' }));
const principals = ['prod.example/ns/shop/sa/cart', 'far.example/ns/shop/sa/cart'].map((name) =>
  spiffeId(`spiffe://${name}`),
);
const callWith = (path: fc.Arbitrary<string>): fc.Arbitrary<ObservedCall> =>
  fc.record({
    workload,
    principal: fc.constantFrom(...principals),
    port: fc.constantFrom(80, 81),
    http: fc.option(fc.record({ method: fc.constantFrom('GET', 'PUT'), path }), { nil: undefined, freq: 30 }),
  });

/** Few calls, or many values in one place. */
const callsWith = (path: fc.Arbitrary<string>) =>
  fc.oneof(
    fc.array(callWith(path), { maxLength: 30 }),
    fc
      .tuple(
        callWith(path),
        fc.constantFrom('/w', '/a/b'),
        fc.uniqueArray(fc.tuple(word, fc.constantFrom('', '', '', '/a', '/1', '/2')), {
          minLength: 18,
          maxLength: 22,
          selector: ([name]) => name,
        }),
      )
      .map(([call, start, ends]) =>
        ends.map(([name, end]) => ({ ...call, http: { method: 'GET', path: `${start}/${name}${end}` } })),
      ),
  );

function observed(calls: readonly ObservedCall[]): Observations {
  const observations = new Observations({ minValues, maxBytes: 10_000_000 });
  for (const call of calls) expect(observations.add(call)).toBe('taken');
  return observations;
}

/** As they are after having been written and read again. */
function learned(calls: readonly ObservedCall[]): readonly PolicyDocument[] {
  const policies = learnedPolicies(observed(calls).workloads());
  const text = policies.map((policy) => writeDocument(policyDocument(policy))).join('---\n');
  const read = readPolicies(text, 'learned.yaml');
  if (!read.ok) throw new Error(JSON.stringify(read.reason));
  expect(read.value.map(({ document }) => document)).toEqual(policies);
  return policies;
}

function isAllowed(
  documents: readonly PolicyDocument[],
  { workload: of, principal, port, http }: ObservedCall,
): boolean {
  const facts = { ...of, labels: { app: of.name }, ports: undefined };
  const compiled = compilePolicies(documents, facts);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.reason));
  return decide(compiled.value, { principal, port, http: http && { ...http, host: 'a', header: () => [] } }).allow;
}

/** The rule in words: what was seen of this caller at this port, or with so many values in the place of another. */
function isFounded(calls: readonly ObservedCall[], asked: ObservedCall): boolean {
  const alike = calls.filter(
    ({ workload: of, principal, port }) =>
      of.namespace === asked.workload.namespace && principal === asked.principal && port === asked.port,
  );
  if (alike.some(({ http }) => http === undefined)) return true;
  const { http } = asked;
  if (http === undefined) return false;
  const paths = alike.flatMap((each) =>
    each.http?.method === http.method ? [each.http.path.split('/').slice(1)] : [],
  );
  return isPathFounded(paths, http.path.split('/').slice(1), 0);
}

function isPathFounded(paths: readonly string[][], asked: readonly string[], at: number): boolean {
  if (paths.length === 0) return false;
  const segment = asked[at];
  if (segment === undefined) return paths.some(({ length }) => length === at);
  const same = paths.filter((path) => path[at] === segment);
  if (isPathFounded(same, asked, at + 1)) return true;
  if (at === 0 || segment === '') return false;
  const others = paths.filter((path) => (path[at] ?? '') !== '');
  const named = others.filter((path) => /^(\d+|[0-9a-f-]{32,})$/.test(path[at] ?? ''));
  const count = (of: readonly string[][]): number => new Set(of.map((path) => path[at])).size;
  if (count(others.filter((path) => !named.includes(path))) >= minWords) return isPathFounded(others, asked, at + 1);
  return count(named) >= minValues && isPathFounded(named, asked, at + 1);
}

test('calls as they are made up here show words that become {*}, and some that do not', () => {
  const [few, many] = [false, true].map((isMany) =>
    fc
      .sample(callsWith(plainPath), { numRuns: 200, seed: 1 })
      .map((calls) => JSON.stringify(learned(calls)))
      .filter((text) => isMany === /"text":"w"\},\{"kind":"one"/.test(text)),
  );
  expect(Math.min(few?.length ?? 0, many?.length ?? 0)).toBeGreaterThan(20);
});

test('learned policies allow what was seen, whatever parameters its path had', () => {
  const path = fc.oneof({ weight: 4, arbitrary: plainPath }, { weight: 1, arbitrary: withParameters });
  fc.assert(
    fc.property(callsWith(path), (calls) => {
      const policies = learned(calls);
      for (const call of calls) expect(isAllowed(policies, call), JSON.stringify(call)).toBe(true);
    }),
    { numRuns: 400 },
  );
}, 60_000);

test('and nothing else: no caller, port, method or place in a path that was not seen (A58)', () => {
  const verdicts = { allowed: 0, refused: 0 };
  fc.assert(
    fc.property(
      callsWith(plainPath),
      fc.array(callWith(plainPath), { minLength: 20, maxLength: 20 }),
      (calls, asked) => {
        const policies = learned(calls);
        const near = calls.slice(0, 20).flatMap((call, index) => {
          const other = asked[index];
          if (call.http === undefined || other?.http === undefined) return [];
          const last = other.http.path.split('/').findLast((each) => each !== '') ?? 'x';
          return [
            { ...call, http: other.http },
            { ...call, http: { ...call.http, path: call.http.path.replace(/[^/]+(?=\/?$)/, last) } },
            { ...call, principal: other.principal },
            { ...call, http: undefined },
          ];
        });
        for (const call of [...asked, ...near]) {
          const isFine = isAllowed(policies, call);
          verdicts[isFine ? 'allowed' : 'refused'] += 1;
          expect(isFine, `${JSON.stringify(call)} of ${JSON.stringify(calls)}`).toBe(isFounded(calls, call));
        }
      },
    ),
    { numRuns: 400 },
  );
  expect(Math.min(verdicts.allowed, verdicts.refused), 'both verdicts are common').toBeGreaterThan(1_000);
}, 120_000);

test('the order of calls changes nothing, nor does seeing them again; every rule of them is needed', () => {
  fc.assert(
    fc.property(
      callsWith(plainPath).chain((calls) =>
        fc.tuple(fc.constant(calls), fc.shuffledSubarray(calls, { minLength: calls.length })),
      ),
      ([calls, shuffled]) => {
        const policies = learned(calls);
        expect(learned([...shuffled, ...calls])).toEqual(policies);
        const use = new PolicyUse(policies);
        for (const call of calls) expect(use.note(call)).toEqual({ ok: true, value: 'allowed' });
        expect(use.use(undefined)).toEqual({ unused: [], untold: [], unseen: [] });
      },
    ),
    { numRuns: 300 },
  );
}, 60_000);
