import { createHash } from 'node:crypto';
import type { ControlPlaneEvent } from '#control-plane/events.ts';
import type { Store, StoredPolicy, Writer } from '#control-plane/store/store.ts';
import { policyKey, type PolicyRef } from '#proto/messages.ts';
import type { ApplyPoliciesResponse, DeletePolicyResponse, PolicyFile } from '#proto/policy-messages.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Emit } from '#runtime/log.ts';
import { foreignOwner, planApply, type Applicant, type Plan } from './plan.ts';
import { readFiles } from './read.ts';

/** What became of the mesh's documents; `changed` are new or differ. */
export interface PolicyNews {
  readonly revision: number;
  readonly changed: readonly StoredPolicy[];
  readonly gone: readonly PolicyRef[];
}

export interface PolicyKeeperParts {
  readonly store: Store;
  /** Whose files are the rest of the documents, where there is one. */
  readonly folder: string | undefined;
  readonly clock: Clock;
  readonly emit: Emit<ControlPlaneEvent>;
  onNews(news: PolicyNews): void;
}

/** The documents of the mesh: in the store, and in memory as they are there. */
export interface PolicyKeeper {
  revision(): number;
  /** By the revision of their last change. */
  all(): readonly StoredPolicy[];
  /** All or nothing; on disk when it resolves. */
  apply(files: readonly PolicyFile[]): Promise<ApplyPoliciesResponse>;
  /** What `apply` would answer, with texts. */
  check(files: readonly PolicyFile[]): Promise<ApplyPoliciesResponse>;
  delete(ref: PolicyRef): Promise<DeletePolicyResponse>;
  /** These files are all that the folder holds: what it no longer has goes. */
  useFolder(files: readonly PolicyFile[]): Promise<ApplyPoliciesResponse>;
}

export function createPolicyKeeper({ store, folder, clock, emit, onNews }: PolicyKeeperParts): PolicyKeeper {
  const policies = new Map(store.policies().map((policy) => [policyKey(policy), policy]));
  let revision = store.policyRevision();
  let last: Promise<unknown> = Promise.resolve();

  /** One change after the other: each is planned on what the one before has left. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  }

  async function commit({ put, gone }: Pick<Plan, 'put' | 'gone'>): Promise<void> {
    if (put.length === 0 && gone.length === 0) return;
    const next = revision + 1;
    const changed = put.map((policy) => ({ ...policy, revision: next }));
    await store.write((writer) => {
      writer.setPolicyRevision(next);
      for (const policy of changed) record(writer, policy);
      for (const ref of gone) forget(writer, ref, next);
    });
    const created = changed.filter((policy) => !policies.has(policyKey(policy))).length;
    for (const ref of gone) policies.delete(policyKey(ref));
    for (const policy of changed) {
      policies.delete(policyKey(policy)); // the last changed stands last
      policies.set(policyKey(policy), policy);
    }
    revision = next;
    emit({ event: 'policies.changed', revision, created, changed: changed.length - created, deleted: gone.length });
    onNews({ revision, changed, gone });
  }

  function record(writer: Writer, policy: StoredPolicy): void {
    const change = policies.has(policyKey(policy)) ? 'changed' : 'created';
    const digest = createHash('sha256').update(policy.json).digest('hex');
    const { source, revision: at } = policy;
    writer.putPolicy(policy);
    writer.audit(clock.now(), {
      kind: 'policy-changed',
      policy: policyKey(policy),
      change,
      revision: at,
      source,
      digest,
    });
  }

  function forget(writer: Writer, ref: PolicyRef, at: number): void {
    const policy = policyKey(ref);
    const source = policies.get(policy)?.source ?? '';
    writer.removePolicy(ref);
    writer.audit(clock.now(), { kind: 'policy-changed', policy, change: 'deleted', revision: at, source, digest: '' });
  }

  async function apply(files: readonly PolicyFile[], kind: Applicant['kind']): Promise<ApplyPoliciesResponse> {
    const wanted = await readFiles(files); // the slow part, outside of the turn
    if (!wanted.ok) return { revision, changes: [], problems: wanted.reason };
    return inTurn(async () => {
      const plan = planApply(policies, wanted.value, { kind, folder });
      if (!plan.ok) return { revision, changes: [], problems: plan.reason };
      await commit(plan.value);
      const changes = plan.value.changes.map((change) => ({ ...change, before: '', after: '' }));
      return { revision, changes, problems: [] };
    });
  }

  return {
    revision: () => revision,
    all: () => [...policies.values()],
    apply: (files) => apply(files, 'operator'),
    useFolder: (files) => apply(files, 'folder'),
    async check(files) {
      const wanted = await readFiles(files);
      const plan = wanted.ok ? planApply(policies, wanted.value, { kind: 'operator', folder }) : wanted;
      if (!plan.ok) return { revision, changes: [], problems: plan.reason };
      return { revision, changes: plan.value.changes, problems: [] };
    },
    delete: (ref) =>
      inTurn(async () => {
        const known = policies.get(policyKey(ref));
        if (known === undefined) return { revision, problem: `there is no ${policyKey(ref)}` };
        const owner = foreignOwner(known, { kind: 'operator', folder });
        if (owner !== undefined) return { revision, problem: owner };
        await commit({ put: [], gone: [ref] });
        return { revision, problem: '' };
      }),
  };
}
