import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyEdits } from '#policy/edits.ts';
import { explanationText } from '#policy/explain-text.ts';
import { explain, type Explanation } from '#policy/explain.ts';
import type { AuthorizationPolicy, Call, PolicyDocument } from '#policy/model.ts';
import { naivelyFailed, naivelySelecting } from '#support/naive-fields.ts';
import { naiveDecide } from '#support/naive-policy.ts';
import { callers, calls, payments, policyDocuments, spiffeIdOf, strangers } from '#support/random-policies.ts';

/** A law takes 10 s by itself, more on a busy machine. */
const timeout = 90_000;
/** Runs of each law: M8 asks for 2,000 at least. */
const numRuns = 3000;

function explained(documents: readonly PolicyDocument[], call: Call): Explanation {
  const explanation = explain(documents, payments, call);
  if (!explanation.ok) throw new Error(JSON.stringify(explanation.reason));
  return explanation.value;
}

function authorizationsOf(documents: readonly PolicyDocument[]): readonly AuthorizationPolicy[] {
  return documents.filter((each) => each.kind === 'AuthorizationPolicy');
}

describe('an explanation of random policies and calls (M8)', { timeout }, () => {
  test('has the verdict, the rules and the first predicates that a second reading finds', () => {
    const verdicts = { allow: 0, deny: 0 };
    fc.assert(
      fc.property(policyDocuments, calls, (documents, call) => {
        const { decision, policies, notSelected, judgedPath } = explained(documents, call);
        verdicts[decision.allow ? 'allow' : 'deny'] += 1;
        expect(decision).toEqual(naiveDecide(documents, payments, call));
        const selecting = naivelySelecting(documents, payments);
        expect(policies.map(({ policy }) => policy)).toEqual(selecting.map((each) => `${each.namespace}/${each.name}`));
        expect(notSelected).toHaveLength(authorizationsOf(documents).length - selecting.length);
        const asked = judgedPath === undefined ? call : { ...call, http: { ...call.http!, path: judgedPath } };
        const failures = selecting.map(({ action, rules }) =>
          rules.map((rule) => naivelyFailed(rule, { call: asked, own: payments.trustDomain, action, documents })),
        );
        expect(policies.map(({ rules }) => rules.map(({ failed }) => failed.map(({ path }) => path)))).toEqual(
          failures,
        );
      }),
      { numRuns },
    );
    expect(Math.min(verdicts.allow, verdicts.deny)).toBeGreaterThan(numRuns / 10); // the law is about both
  });

  test('suggests edits after which this call passes, and nobody else’s that was refused (but whom it names)', () => {
    const tried = { edits: 0, none: 0 };
    fc.assert(
      fc.property(policyDocuments, calls, (documents, call) => {
        const { decision, suggestion } = explained(documents, call);
        expect(suggestion === undefined).toBe(decision.allow);
        if (suggestion === undefined) return;
        tried[suggestion.possible ? 'edits' : 'none'] += 1;
        if (!suggestion.possible) {
          const isForeign = call.principal?.startsWith('spiffe://a.test/') === false;
          const isOpen = documents.some((each) => each.kind === 'MeshPolicy');
          if (suggestion.why === 'another-token') {
            expect(call.principal).toBeDefined();
            expect(JSON.stringify(documents)).toMatch(/equestPrincipals|[rR]oles"|"scopes":\["|request\.auth/);
            return;
          }
          const expected = call.principal === undefined ? 'caller-without-identity' : 'open-to-own-domain';
          expect(suggestion.why).toBe(expected);
          if (expected === 'open-to-own-domain') expect(isForeign && isOpen).toBe(true);
          return;
        }
        expect(call.principal).toBeDefined();

        const edited = applyEdits(documents, suggestion.edits);
        expect(explained(edited, call).decision.allow).toBe(true);
        expect(naiveDecide(edited, payments, call).allow).toBe(true);
        const others = [...callers, ...strangers].filter(
          (each) => spiffeIdOf(each) !== call.principal && !suggestion.alsoFor.includes(each),
        );
        for (const other of [...others.map(spiffeIdOf), undefined]) {
          const theirs = { ...call, principal: other };
          if (naiveDecide(documents, payments, theirs).allow) continue;
          expect(naiveDecide(edited, payments, theirs).allow, `${other} gets in too`).toBe(false);
        }
      }),
      { numRuns },
    );
    expect(tried.edits).toBeGreaterThan(numRuns / 10);
  });

  test('is plain text of at most 100 columns, whatever is asked', () => {
    fc.assert(
      fc.property(policyDocuments, calls, (documents, call) => {
        const lines = explanationText(explained(documents, call)).split('\n');
        expect(lines.filter((line) => line.length > 100)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});
