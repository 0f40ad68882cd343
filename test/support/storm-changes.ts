import fc from 'fast-check';
import { readPolicies } from '#policy/documents.ts';
import type { AuthorizationPolicy, Condition, Pattern, PolicyDocument, ScopeTemplates } from '#policy/model.ts';
import { policyDocument } from '#policy/policy-yaml.ts';
import type { PolicyRef } from '#proto/messages.ts';
import type { Random } from '#runtime/clock.ts';
import { policyDocuments } from './random-policies.ts';

/** One change of a storm. The document is the model's; the text is what is applied, and nobody else reads the one out of the other. */
export type StormChange =
  | { readonly kind: 'put'; readonly document: PolicyDocument; readonly text: string }
  | { readonly kind: 'delete'; readonly ref: PolicyRef };

/** Always admitted to everything in namespace `shop`, and denied by nobody. */
const steady = 'a.test/ns/shop/sa/steady';
/** Denied to all, always. */
export const neverPath = '/never';

const steadyPattern: Pattern = { kind: 'exact', text: steady };
const notSteady: Condition = { key: { of: 'source.principal' }, notValues: [steadyPattern] };

function fixed(name: string, rest: Pick<AuthorizationPolicy, 'action' | 'rules'>): StormChange {
  const head = {
    kind: 'AuthorizationPolicy',
    dialect: 'security.istio.io/v1',
    namespace: 'shop',
    selector: {},
  } as const;
  return putOf({ ...head, name, ...rest });
}

const plainRule = { path: 'rules[0]', isDryRun: false, from: [], to: [], when: [] } as const;

/** What holds throughout. */
export const fixedChanges: readonly StormChange[] = [
  fixed('steady', { action: 'ALLOW', rules: [{ ...plainRule, from: [{ principals: [steadyPattern] }] }] }),
  fixed('never', {
    action: 'DENY',
    rules: [{ ...plainRule, to: [{ ports: [80, 8080], paths: [{ kind: 'exact', text: neverPath }] }] }],
  }),
  ...someSets(1, 1).flatMap((set) => set.filter((document) => document.kind === 'ScopeTemplates').map(putScopes)),
];

/** Without end: a new text for one of so many names, or one of them less. */
export function* stormChanges({ seed, names, random }: { seed: number; names: number; random: Random }) {
  const there = new Map<string, PolicyRef>();
  for (let batch = seed; ; batch += 1) {
    const bodies = someSets(50, batch).flatMap((set) => set.filter((each) => each.kind === 'AuthorizationPolicy'));
    for (const body of bodies) {
      const old = [...there.values()][Math.floor(random() * there.size * 8)]; // one change of eight
      if (old !== undefined) {
        there.delete(keyOf(old));
        yield { kind: 'delete', ref: old } satisfies StormChange;
      }
      const put = putOf({ ...sparing(body), name: `p${Math.floor(random() * names)}` });
      if (!readPolicies(put.text, 'storm.yaml').ok) continue; // of `eastwest.dev/v1` not every pattern may be written
      const { kind, namespace, name } = put.document;
      there.set(keyOf(put.document), { kind, namespace, name });
      yield put;
    }
  }
}

const keyOf = ({ kind, namespace, name }: PolicyRef): string => `${kind}/${namespace}/${name}`;

function someSets(numRuns: number, seed: number): readonly (readonly PolicyDocument[])[] {
  return fc.sample(policyDocuments, { numRuns, seed });
}

/** A DENY policy that is not about `steady`. */
function sparing(policy: AuthorizationPolicy): AuthorizationPolicy {
  if (policy.action !== 'DENY') return policy;
  return { ...policy, rules: policy.rules.map((rule) => ({ ...rule, when: [...rule.when, notSteady] })) };
}

function putOf(document: AuthorizationPolicy): Extract<StormChange, { readonly kind: 'put' }> {
  return { kind: 'put', document, text: JSON.stringify(policyDocument(document)) }; // JSON is YAML
}

/** As somebody would write the templates that `random-policies.ts` has. */
function putScopes(document: ScopeTemplates): StormChange {
  const { namespace, name } = document;
  const text = JSON.stringify({
    ...{ apiVersion: 'eastwest.dev/v1', kind: 'ScopeTemplates', metadata: { namespace, name } },
    spec: {
      scopes: [
        { scope: 'prices.read', method: 'GET', path: '/prices/{price}' },
        { scope: 'a.all', method: 'GET', path: '/a' },
        { scope: 'a.all', method: 'POST', path: '/a' },
      ],
    },
  });
  return { kind: 'put', document, text };
}
