import { createHash } from 'node:crypto';
import type { AuditEntry } from '#control-plane/audit/record.ts';
import type { StoredPolicy } from '#control-plane/store/store.ts';
import { policyKey, type PolicyRef } from '#proto/messages.ts';
import type { Plan } from './plan.ts';

/** What became of the mesh's documents; `changed` are new or differ. */
export interface PolicyNews {
  readonly revision: number;
  readonly changed: readonly StoredPolicy[];
  readonly gone: readonly PolicyRef[];
}

/** One revision of a draft, and what is to be written down of it. */
export interface DraftChange {
  readonly news: PolicyNews;
  /** How many of `news.changed` were not there before. */
  readonly created: number;
  readonly entries: readonly AuditEntry[];
}

/** The documents as they will be once every change of the draft is on disk. */
export interface PolicyDraft {
  readonly policies: Map<string, StoredPolicy>;
  readonly revision: number;
  readonly changes: readonly DraftChange[];
  /** Makes one revision of it; of nothing, none. */
  change(plan: Pick<Plan, 'put' | 'gone'>): void;
}

export function createDraft(current: ReadonlyMap<string, StoredPolicy>, first: number): PolicyDraft {
  const policies = new Map(current);
  const changes: DraftChange[] = [];
  let revision = first;

  /** Before it changes anything: what it was tells what becomes of it. */
  function entryOf(ref: PolicyRef, after: StoredPolicy | undefined): AuditEntry {
    const policy = policyKey(ref);
    const before = policies.get(policy);
    const source = (after ?? before)?.source ?? '';
    if (after === undefined) return { kind: 'policy-changed', policy, change: 'deleted', revision, source, digest: '' };
    const digest = createHash('sha256').update(after.json).digest('hex');
    return { kind: 'policy-changed', policy, change: before ? 'changed' : 'created', revision, source, digest };
  }

  return {
    policies,
    changes,
    get revision() {
      return revision;
    },
    change({ put, gone }) {
      if (put.length === 0 && gone.length === 0) return;
      revision += 1;
      const changed = put.map((policy) => ({ ...policy, revision }));
      const entries = [
        ...changed.map((policy) => entryOf(policy, policy)),
        ...gone.map((ref) => entryOf(ref, undefined)),
      ];
      const created = changed.filter((policy) => !policies.has(policyKey(policy))).length;
      for (const ref of gone) policies.delete(policyKey(ref));
      for (const policy of changed) {
        policies.delete(policyKey(policy)); // the last changed stands last
        policies.set(policyKey(policy), policy);
      }
      changes.push({ news: { revision, changed, gone }, created, entries });
    },
  };
}
