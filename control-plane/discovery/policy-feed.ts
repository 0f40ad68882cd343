import { toPolicy } from '#policy/documents.ts';
import type { PolicyNews } from '#control-plane/policies/draft.ts';
import type { StoredPolicy } from '#control-plane/store/store.ts';
import { policyKey, type PolicyDocument, type PolicyRef } from '#proto/messages.ts';

/** Documents of these kinds concern the whole mesh, whatever their namespace. */
const meshWide: ReadonlySet<string> = new Set(['MeshPolicy', 'DenyList', 'ScopeTemplates']);
const defaultRootNamespace = 'istio-system';
/** Of one message, next to a limit of 256 KiB; a document alone has 128 KiB at most. */
const maxPartBytes = 200 * 1024;
/** So many documents that are gone are remembered: whoever is further behind is sent the whole set. */
const maxGone = 10_000;

export interface PolicyDelta {
  readonly isWhole: boolean;
  /** At least one. */
  readonly parts: readonly { readonly documents: readonly PolicyDocument[]; readonly gone: readonly PolicyRef[] }[];
}

/** What each namespace must know of the mesh's documents, as of now. There is no queue: what is behind gets the newest. */
export interface PolicyFeed {
  revision(): number;
  take(news: PolicyNews): void;
  /** What a namespace that knows `revision` lacks, undefined: all of it. Nothing, when nothing that concerns it has changed. */
  since(revision: number | undefined, namespace: string): PolicyDelta | undefined;
}

interface Entry {
  readonly ref: PolicyRef;
  readonly revision: number;
  /** Undefined: it is gone. */
  readonly document: PolicyDocument | undefined;
}

export function createPolicyFeed(policies: readonly StoredPolicy[], first: number): PolicyFeed {
  const entries = new Map<string, Entry>();
  let revision = first;
  let rootNamespace = defaultRootNamespace;
  /** Of what happened before it not everything is known: deltas begin here. */
  let floor = first;
  let gone = 0;
  /** Agents that know the same share one answer, until the next change. */
  let answers = new Map<string, PolicyDelta | undefined>();

  function put(entry: Entry): void {
    const key = policyKey(entry.ref);
    if (entries.get(key)?.document === undefined && entries.delete(key)) gone -= 1;
    entries.delete(key);
    entries.set(key, entry); // the last changed stands last
    if (entry.document === undefined) gone += 1;
  }

  function forgetOldest(): void {
    for (const [key, entry] of entries) {
      if (gone <= maxGone) return;
      if (entry.document !== undefined) continue;
      entries.delete(key);
      gone -= 1;
      floor = entry.revision;
    }
  }

  function useRootNamespace(): void {
    const meshPolicy = [...entries.values()].find(({ ref, document }) => document && ref.kind === 'MeshPolicy');
    const next = rootNamespaceOf(meshPolicy?.document);
    if (next === rootNamespace) return;
    rootNamespace = next;
    floor = revision; // what concerns whom is another question now
  }

  const concerns = ({ kind, namespace }: PolicyRef, asking: string): boolean =>
    meshWide.has(kind) || namespace === asking || namespace === rootNamespace;

  function answer(since: number | undefined, namespace: string): PolicyDelta | undefined {
    const isWhole = since === undefined || since < floor;
    const from = isWhole ? -1 : since;
    const concerning = [...entries.values()].filter((entry) => entry.revision > from && concerns(entry.ref, namespace));
    const documents = concerning.flatMap(({ document }) => document ?? []);
    const removed = isWhole ? [] : concerning.filter(({ document }) => document === undefined).map(({ ref }) => ref);
    if (!isWhole && documents.length === 0 && removed.length === 0) return undefined;
    return { isWhole, parts: toParts(documents, removed) };
  }

  for (const policy of policies) put(toEntry(policy));
  useRootNamespace();

  return {
    revision: () => revision,
    take(news) {
      revision = news.revision;
      answers = new Map();
      for (const { kind, namespace, name } of news.gone) {
        put({ ref: { kind, namespace, name }, revision, document: undefined });
      }
      for (const policy of news.changed) put(toEntry(policy));
      forgetOldest();
      if ([...news.gone, ...news.changed].some(({ kind }) => kind === 'MeshPolicy')) useRootNamespace();
    },
    since(known, namespace) {
      if (known === revision) return undefined;
      const key = `${known} ${namespace}`;
      if (!answers.has(key)) answers.set(key, answer(known, namespace));
      return answers.get(key);
    },
  };
}

function toEntry({ kind, namespace, name, json, revision }: StoredPolicy): Entry {
  const document = { kind, namespace, name, json };
  return { ref: document, revision, document };
}

function rootNamespaceOf(document: PolicyDocument | undefined): string {
  if (document === undefined) return defaultRootNamespace;
  const policy = toPolicy(JSON.parse(document.json));
  return policy.ok && policy.value.kind === 'MeshPolicy' ? policy.value.rootNamespace : defaultRootNamespace;
}

function toParts(documents: readonly PolicyDocument[], gone: readonly PolicyRef[]): PolicyDelta['parts'] {
  const parts: { documents: PolicyDocument[]; gone: PolicyRef[] }[] = [];
  let part: { documents: PolicyDocument[]; gone: PolicyRef[] } = { documents: [], gone: [] };
  let bytes = 0;
  const makeRoom = (more: number): void => {
    if (bytes > 0 && bytes + more > maxPartBytes) {
      parts.push(part);
      part = { documents: [], gone: [] };
      bytes = 0;
    }
    bytes += more;
  };
  for (const document of documents) {
    makeRoom(bytesOf(document) + Buffer.byteLength(document.json));
    part.documents.push(document);
  }
  for (const ref of gone) {
    makeRoom(bytesOf(ref));
    part.gone.push(ref);
  }
  return [...parts, part];
}

/** Names, tags and lengths, at most. */
const bytesOf = ({ kind, namespace, name }: PolicyRef): number =>
  3 * (kind.length + namespace.length + name.length) + 20;
