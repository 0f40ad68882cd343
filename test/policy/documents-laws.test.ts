import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readPolicies, toPolicy } from '#policy/documents.ts';

const kinds = ['AuthorizationPolicy', 'PeerAuthentication', 'DenyList', 'MeshPolicy', 'ScopeTemplates', 'constructor'];
const fields = [
  ...['spec', 'rules', 'from', 'source', 'principals', 'notNamespaces', 'to', 'operation', 'paths', 'ports', 'scopes'],
  ...[
    'when',
    'key',
    'values',
    'selector',
    'matchLabels',
    'mtls',
    'mode',
    'portLevelMtls',
    'entries',
    'serial',
    'reason',
  ],
  ...['expiresAt', 'metadata', 'name', 'annotations', '__proto__', 'toString', 'dryRun', 'allow', 'action', '8080'],
];
const texts = [
  '*',
  '/a/{*}',
  '/a/*',
  'prod.example/*',
  'all',
  'GET',
  'STRICT',
  'request.headers[a]',
  '\u0000',
  '%',
  '',
];

const value = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.constantFrom<unknown>(null, true, 0, -1, 8080, 1e21, ...texts),
    fc.array(tie('any'), { maxLength: 3 }),
    fc
      .array(fc.tuple(fc.constantFrom(...fields), tie('any')), { maxLength: 4 })
      .map((members) =>
        JSON.parse(`{${members.map(([name, member]) => `${JSON.stringify(name)}:${JSON.stringify(member)}`).join()}}`),
      ),
  ),
})).any;

const document = fc.record({
  apiVersion: fc.constantFrom('security.istio.io/v1', 'eastwest.dev/v1', 'v1'),
  kind: fc.constantFrom(...kinds),
  metadata: fc.oneof(fc.constant({ name: 'a' }), value),
  spec: value,
});

test('whatever comes over the wire is a policy or a list of problems, never a fault', () => {
  fc.assert(
    fc.property(fc.oneof(document, value), (raw) => {
      const read = toPolicy(raw);
      expect(read.ok || read.reason.length > 0).toBe(true);
    }),
    { numRuns: 3_000 },
  );
});

test('YAML says what its JSON says, with a place for each problem', () => {
  fc.assert(
    fc.property(document, (raw) => {
      const wire = toPolicy(raw);
      const read = readPolicies(JSON.stringify(raw, undefined, 1), 'a.yaml');
      if (read.ok) {
        expect(wire).toEqual({ ok: true, value: read.value[0]?.document });
        return;
      }
      // Keys that are there twice are seen in a text only.
      expect(read.reason.every(({ line, column }) => line > 0 && column > 0)).toBe(true);
      if (!wire.ok) expect(read.reason.map(({ path, problem }) => ({ path, problem }))).toEqual(wire.reason);
    }),
    { numRuns: 1_000 },
  );
});

test('no text is a fault', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'a: -[]{}"\'\n&*!|>#%@,?', '---\n', 'kind', '\t', 'é', '\u0000') }),
      (text) => {
        expect(typeof readPolicies(text, 'a.yaml').ok).toBe('boolean');
      },
    ),
    { numRuns: 3_000 },
  );
});
