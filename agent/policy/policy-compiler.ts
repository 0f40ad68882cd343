import type { InboundPortConfig } from '#agent/config-types.ts';
import { compilePolicies, documentName, type CompiledPolicy } from '#policy/compile.ts';
import { toPolicy } from '#policy/documents.ts';
import { localModes, localPolicy, strictOnly } from '#policy/local-policy.ts';
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

/** What became of a set. `problem`: what of it cannot be judged, and lets nobody in; the rest is in force if `isInForce`. */
export interface PolicyOutcome {
  readonly isInForce: boolean;
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
    const modes = ports.flatMap(({ port, mode }) => (mode === 'PERMISSIVE' ? [[port, mode] as const] : []));
    this.#own = [
      ...(listing.length === 0 ? [] : [localPolicy(listing)]),
      ...(modes.length === 0 ? [] : [localModes(new Map(modes))]),
    ];
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
    const unjudged = new Set(compiled.reason.map(({ kind, policy }) => `${kind} ${policy}`));
    const closed = closedOf(policies, unjudged, workload);
    const lessened = compilePolicies(closed, workload);
    if (!lessened.ok) return { policy: undefined, problem };
    return { policy: this.#keep(lessened.value, { documents: closed, workload }), problem };
  }

  /** What decides before anything is pushed. */
  compileOwn({ workload, trustDomain }: { readonly workload: string; readonly trustDomain: string }): CompiledPolicy {
    const facts = { trustDomain, namespace: '', name: workload, labels: {}, ports: undefined };
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

/**
 * In the place of those that cannot be judged: they admit nobody and deny all whom they may be about, and where a
 * PeerAuthentication is among them no port takes plaintext.
 */
function closedOf(
  policies: readonly PolicyDocument[],
  unjudged: ReadonlySet<string>,
  workload: WorkloadFacts,
): readonly PolicyDocument[] {
  const isUnjudged = (document: PolicyDocument): boolean => unjudged.has(`${document.kind} ${documentName(document)}`);
  const isModeUnknown = policies.some((document) => document.kind === 'PeerAuthentication' && isUnjudged(document));
  const closed = policies.flatMap((document): readonly PolicyDocument[] => {
    if (document.kind === 'PeerAuthentication') return isModeUnknown ? [] : [document];
    if (!isUnjudged(document)) return [document];
    if (document.kind !== 'AuthorizationPolicy') return [];
    const anything = { path: 'rules[0]', isDryRun: false, from: [], to: [], when: [] };
    return [{ ...document, rules: document.action === 'DENY' ? [anything] : [] }];
  });
  return isModeUnknown ? [...closed, strictOnly(workload)] : closed;
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
