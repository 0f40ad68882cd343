import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readPolicies } from '#policy/documents.ts';
import { policyDocument, yamlLines } from '#policy/policy-yaml.ts';
import { readDocument } from '#runtime/documents.ts';
import { policyDocuments } from '#support/random-policies.ts';

describe('YAML that we write', () => {
  test('is read as the policy that was written', () => {
    let written = 0;
    fc.assert(
      fc.property(policyDocuments, (documents) => {
        for (const policy of documents) {
          // ours reads some patterns of paths more strictly
          if (policy.kind !== 'AuthorizationPolicy' || policy.dialect !== 'security.istio.io/v1') continue;
          const read = readPolicies(yamlLines(policyDocument(policy), 100).join('\n'), 'policy.yaml');
          expect(read).toMatchObject({ ok: true, value: [{ document: policy }] });
          written += 1;
        }
      }),
      { numRuns: 500 },
    );
    expect(written).toBeGreaterThan(500);
  });

  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.string({ unit: fc.constantFrom('a', ' ', '"', '\\', '\n', ':', '#', '-', 'é', '😀', '/'), maxLength: 300 }),
    fc.constantFrom(
      'yes',
      'null',
      '~',
      '1',
      '0x10',
      '1e3',
      '.5',
      '-',
      '',
      'a: b',
      'a #b',
      '*',
      '!x',
      '&x',
      'on',
      '=',
      '<<',
    ),
  );

  test('keeps every text and number, folded into any width', () => {
    const value = fc.record({ a: text, list: fc.array(fc.oneof(text, fc.integer())), in: fc.record({ b: text }) });
    fc.assert(
      fc.property(value, fc.integer({ min: 24, max: 100 }), (plain, columns) => {
        const lines = yamlLines(plain, columns);
        expect(readDocument(lines.join('\n'))).toEqual({ ok: true, value: plain });
        expect(lines.filter((line) => line.length > columns)).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });

  test('has empty lists and objects', () => {
    expect(yamlLines({ rules: [{}], none: [], left: undefined }, 80)).toEqual(['rules:', '  - {}', 'none: []']);
  });
});
