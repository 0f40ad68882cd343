import type { InboundPortConfig } from '#agent/config-types.ts';
import { compilePolicies, documentName, type CompiledPolicy } from '#policy/compile.ts';
import { toPolicy } from '#policy/documents.ts';
import { localPolicy } from '#policy/local-policy.ts';
import type { PolicyDocument, WorkloadFacts } from '#policy/model.ts';

/** Documents as they were pushed, and for whom. Plain values: worker threads get them too. */
export interface PushedPolicies {
  readonly documents: readonly unknown[];
  readonly workload: WorkloadFacts;
}

/** Every document that a decision rests on. */
export interface PolicySource {
  readonly documents: readonly PolicyDocument[];
  readonly workload: WorkloadFacts;
}

/** `policy`: what is to be put into force; undefined: what is there stays. `problem`: what could not be judged in it. */
export interface Compiled {
  readonly policy: CompiledPolicy | undefined;
  readonly problem: string | undefined;
}

/** Makes what is pushed, and the `allow` lists of the agent's own file, into what decides. */
export class PolicyCompiler {
  readonly #own: readonly PolicyDocument[];
  /** Documents that did not change come as the same objects: they are read once. */
  readonly #known = new WeakMap<object, ReturnType<typeof toPolicy>>();
  readonly #sources = new WeakMap<CompiledPolicy, PolicySource>();

  constructor(ports: readonly InboundPortConfig[]) {
    const listing = ports.filter(({ allow }) => allow.length > 0);
    this.#own = listing.length === 0 ? [] : [localPolicy(listing)];
  }

  /**
   * One document that cannot be judged must not keep the others, a deny list perhaps, out of force: it lets nobody in. What
   * cannot be read at all, of a later version for example, leaves everything as it is.
   */
  compile({ documents, workload }: PushedPolicies): Compiled {
    const policies: PolicyDocument[] = [...this.#own];
    for (const raw of documents) {
      const policy = this.#read(raw);
      if (!policy.ok) return { policy: undefined, problem: textOf(policy.reason[0], nameOf(raw)) };
      policies.push(policy.value);
    }
    const compiled = compilePolicies(policies, workload);
    if (compiled.ok)
      return { policy: this.#keep(compiled.value, { documents: policies, workload }), problem: undefined };
    const problem = textOf(compiled.reason[0], compiled.reason[0]?.policy);
    const unjudged = new Set(compiled.reason.map(({ policy }) => policy));
    const closed = policies.flatMap((document) =>
      unjudged.has(documentName(document)) ? closedOf(document) : [document],
    );
    const lessened = compilePolicies(closed, workload);
    if (!lessened.ok) return { policy: undefined, problem };
    return { policy: this.#keep(lessened.value, { documents: closed, workload }), problem };
  }

  /** What decides before anything is pushed. */
  compileOwn(workload: string): CompiledPolicy {
    const facts = { namespace: '', name: workload, labels: {}, ports: undefined };
    const compiled = compilePolicies(this.#own, facts);
    if (!compiled.ok) throw new Error(textOf(compiled.reason[0])); // lists of names ask for nothing that cannot be judged
    return this.#keep(compiled.value, { documents: this.#own, workload: facts });
  }

  /** What was made into that; undefined: not here. */
  sourceOf(policy: CompiledPolicy): PolicySource | undefined {
    return this.#sources.get(policy);
  }

  #keep(policy: CompiledPolicy, source: PolicySource): CompiledPolicy {
    this.#sources.set(policy, source);
    return policy;
  }

  #read(raw: unknown): ReturnType<typeof toPolicy> {
    if (typeof raw !== 'object' || raw === null) return toPolicy(raw);
    const policy = this.#known.get(raw) ?? toPolicy(raw);
    this.#known.set(raw, policy);
    return policy;
  }
}

/** In the place of one that cannot be judged: admits nobody, and denies all whom it may be about. */
function closedOf(document: PolicyDocument): readonly PolicyDocument[] {
  if (document.kind !== 'AuthorizationPolicy') return []; // ports take mTLS only, whatever a PeerAuthentication says
  const anything = { path: 'rules[0]', isDryRun: false, from: [], to: [], when: [] };
  return [{ ...document, rules: document.action === 'DENY' ? [anything] : [] }];
}

/** As far as it can be read. */
function nameOf(raw: unknown): string | undefined {
  const { metadata } = raw as { readonly metadata?: { readonly name?: unknown } };
  return typeof metadata?.name === 'string' ? metadata.name : undefined;
}

/** `namespace/name spec.rules[0]: problem`. */
function textOf(
  first: { readonly path: string; readonly problem: string } | undefined,
  name = 'a document without a name',
): string {
  return first === undefined ? `${name}: refused` : `${name} ${first.path}: ${first.problem}`;
}
