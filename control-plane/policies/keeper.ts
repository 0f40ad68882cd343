import type { ControlPlaneEvent } from '#control-plane/events.ts';
import type { Store, StoredPolicy, Writer } from '#control-plane/store/store.ts';
import { policyKey, type PolicyRef } from '#proto/messages.ts';
import type { ApplyPoliciesResponse, DeletePolicyResponse, PolicyFile, PolicyProblem } from '#proto/policy-messages.ts';
import type { WorkloadFacts } from '#policy/model.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Emit } from '#runtime/log.ts';
import { createDraft, type DraftChange, type PolicyDraft, type PolicyNews } from './draft.ts';
import { foreignOwner, planApply, type Applicant } from './plan.ts';
import { readFiles } from './read.ts';
import { warningsFor } from './warnings.ts';

/** What agents have told of their workloads' ports. */
export interface DeclaredPorts {
  /** Grows with each change. */
  version(): number;
  /** Not bound to the object. */
  readonly workloads: () => readonly WorkloadFacts[];
}

export interface PolicyKeeperParts {
  readonly store: Store;
  /** Whose files are the rest of the documents, where there is one. */
  readonly folder: string | undefined;
  readonly declared: DeclaredPorts;
  /** Of the mesh. */
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly emit: Emit<ControlPlaneEvent>;
  onNews(news: PolicyNews): void;
}

/** The documents of the mesh: in the store, and in memory as they are there. */
export interface PolicyKeeper {
  revision(): number;
  /** Another text whenever the same files might be judged differently. */
  basis(): string;
  /** By the revision of their last change. */
  all(): readonly StoredPolicy[];
  /** All or nothing; on disk when it resolves. */
  apply(files: readonly PolicyFile[]): Promise<ApplyPoliciesResponse>;
  /** What `apply` would answer, with texts. */
  check(files: readonly PolicyFile[]): Promise<ApplyPoliciesResponse>;
  delete(ref: PolicyRef): Promise<DeletePolicyResponse>;
  /**
   * These files are all that the folder holds: what it no longer has goes. With no document at all nothing does: a folder
   * that was emptied, or not mounted, must not open doors. Then the operator may delete what came from there.
   */
  useFolder(files: readonly PolicyFile[]): Promise<ApplyPoliciesResponse>;
}

/** Planning one takes up to 2 ms where there are many documents: others have their turn in between. */
const mostTogether = 32;

/** Plans one change on a draft; what it gives back answers whoever asked, once the draft is on disk. */
type PlanChange<T> = (draft: PolicyDraft, answer: (value: T) => () => void) => () => void;

interface Job {
  readonly plan: (draft: PolicyDraft) => () => void;
  readonly reject: (error: unknown) => void;
}

export function createPolicyKeeper(parts: PolicyKeeperParts): PolicyKeeper {
  const { store, folder, declared, trustDomain, clock, emit, onNews } = parts;
  let policies = new Map(store.policies().map((policy) => [policyKey(policy), policy]));
  let revision = store.policyRevision();
  const waiting: Job[] = [];
  let isWriting = false;
  /** As far as is known. */
  let isFolderEmpty = false;

  const known = {
    workloads: declared.workloads,
    namespaceOf: (name: string) => store.workloadByName(name)?.namespace,
  };
  const registered = (kind: Applicant['kind']) => ({
    trustDomain,
    namespaceOf: kind === 'operator' && store.hasWorkloads() ? known.namespaceOf : undefined,
  });
  const operator = (): Applicant => ({ kind: 'operator', folder: isFolderEmpty ? undefined : folder });

  /**
   * One change after the other: each is planned on what the one before has left, and becomes a revision of its own. Those
   * that wait together are written together, for one sync to disk.
   */
  function inTurn<T>(plan: PlanChange<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    waiting.push({ plan: (draft) => plan(draft, (answer) => () => resolve(answer)), reject });
    if (!isWriting) void writeAll();
    return promise;
  }

  async function writeAll(): Promise<void> {
    isWriting = true;
    while (waiting.length > 0) {
      const jobs = waiting.splice(0, mostTogether);
      await writeTogether(jobs).catch((error: unknown) => jobs.forEach(({ reject }) => reject(error)));
    }
    isWriting = false;
  }

  async function writeTogether(jobs: readonly Job[]): Promise<void> {
    const draft = createDraft(policies, revision);
    const answers = jobs.map(({ plan }) => plan(draft));
    const { changes } = draft;
    if (changes.length > 0) await store.write((writer) => changes.forEach((change) => record(writer, change)));
    ({ policies, revision } = draft);
    for (const { news, created } of changes) {
      const { changed, gone } = news;
      const counts = { created, changed: changed.length - created, deleted: gone.length };
      emit({ event: 'policies.changed', revision: news.revision, ...counts });
      onNews(news);
    }
    answers.forEach((answer) => answer());
  }

  function record(writer: Writer, { news, entries }: DraftChange): void {
    writer.setPolicyRevision(news.revision);
    for (const policy of news.changed) writer.putPolicy(policy);
    for (const ref of news.gone) writer.removePolicy(ref);
    for (const entry of entries) writer.audit(clock.now(), entry);
  }

  async function apply(files: readonly PolicyFile[], kind: Applicant['kind']): Promise<ApplyPoliciesResponse> {
    const wanted = await readFiles(files); // the slow part, outside of the turn
    if (!wanted.ok) return refused(revision, wanted.reason);
    return inTurn((draft, answer) => {
      if (kind === 'folder') isFolderEmpty = wanted.value.length === 0;
      const applicant = kind === 'folder' ? { kind, folder } : operator();
      const plan = planApply(draft.policies, wanted.value, applicant, known);
      if (!plan.ok) return answer(refused(draft.revision, plan.reason));
      const warnings = warningsFor(wanted.value, draft.policies, registered(kind));
      draft.change(plan.value);
      const changes = plan.value.changes.map((change) => ({ ...change, before: '', after: '' }));
      return answer({ revision: draft.revision, changes, problems: [], warnings });
    });
  }

  return {
    revision: () => revision,
    basis: () => `${revision} ${declared.version()}`,
    all: () => [...policies.values()],
    apply: (files) => apply(files, 'operator'),
    useFolder: (files) => apply(files, 'folder'),
    async check(files) {
      const wanted = await readFiles(files);
      if (!wanted.ok) return refused(revision, wanted.reason);
      const plan = planApply(policies, wanted.value, operator(), known);
      if (!plan.ok) return refused(revision, plan.reason);
      const warnings = warningsFor(wanted.value, policies, registered('operator'));
      return { revision, changes: plan.value.changes, problems: [], warnings };
    },
    delete: (ref) =>
      inTurn((draft, answer) => {
        const stored = draft.policies.get(policyKey(ref));
        if (stored === undefined) return answer({ revision: draft.revision, problem: `there is no ${policyKey(ref)}` });
        const owner = foreignOwner(stored, operator());
        if (owner !== undefined) return answer({ revision: draft.revision, problem: owner });
        draft.change({ put: [], gone: [ref] });
        return answer({ revision: draft.revision, problem: '' });
      }),
  };
}

function refused(revision: number, problems: readonly PolicyProblem[]): ApplyPoliciesResponse {
  return { revision, changes: [], problems, warnings: [] };
}
