import type { InboundPortConfig } from '#agent/config-types.ts';
import { compilePolicies, type CompiledPolicy } from '#policy/compile.ts';
import { mtlsModeOf } from '#policy/decide.ts';
import { toPolicy } from '#policy/documents.ts';
import { localPolicy } from '#policy/local-policy.ts';
import type { PolicyDocument, WorkloadFacts } from '#policy/model.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

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

/** Makes what is pushed, and the `allow` lists of the agent's own file, into what decides. */
export class PolicyCompiler {
  readonly #own: PolicyDocument;
  /** Documents that did not change come as the same objects: they are read once. */
  readonly #known = new WeakMap<object, ReturnType<typeof toPolicy>>();
  readonly #sources = new WeakMap<CompiledPolicy, PolicySource>();

  constructor(ports: readonly InboundPortConfig[]) {
    this.#own = localPolicy(ports);
  }

  /** Refuses with where the first document is wrong. */
  compile({ documents, workload }: PushedPolicies): Result<CompiledPolicy, string> {
    const policies: PolicyDocument[] = [this.#own];
    for (const raw of documents) {
      const policy = this.#read(raw);
      if (!policy.ok) return refuse(textOf(policy.reason[0], nameOf(raw)));
      policies.push(policy.value);
    }
    const compiled = compilePolicies(policies, workload);
    if (!compiled.ok) return refuse(textOf(compiled.reason[0], compiled.reason[0]?.policy));
    const lax = [...(workload.ports?.keys() ?? [])].find((port) => mtlsModeOf(compiled.value, port) !== 'STRICT');
    if (lax === undefined) return ok(this.#keep(compiled.value, { documents: policies, workload }));
    return refuse(`a PeerAuthentication makes port ${lax} PERMISSIVE: this agent takes mTLS only, write STRICT`);
  }

  /** What decides before anything is pushed. */
  compileOwn(workload: string): CompiledPolicy {
    const facts = { namespace: '', name: workload, labels: {}, ports: undefined };
    const compiled = compilePolicies([this.#own], facts);
    if (!compiled.ok) throw new Error(textOf(compiled.reason[0])); // lists of names ask for nothing that cannot be judged
    return this.#keep(compiled.value, { documents: [this.#own], workload: facts });
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
