import { maxPolicies, maxPoliciesLength, policyKey, type PoliciesPart } from '#proto/messages.ts';

/** Every document that concerns this agent, as of one revision; frozen. */
export interface PolicySet {
  readonly revision: number;
  /** Plain values as they were written. One that did not change is the same object as before. */
  readonly documents: readonly unknown[];
}

export type Gathered = 'more-to-come' | PartProblem | PolicySet;
/** `policies-too-many`: more than a mesh has room for, so that nobody can fill this process by pushing. */
export type PartProblem = 'policies-incomplete' | 'policies-unreadable' | 'policies-too-many';

/** A document, and how many characters it was written in. */
interface Entry {
  readonly raw: unknown;
  readonly length: number;
}

/**
 * What one stream has told, whether or not it could be put into force. At any moment it holds one set of documents, and
 * what a second one would need at most.
 */
export class PartGatherer {
  #told = new Map<string, Entry>();
  /** Undefined: not even the first set is whole, or something was lost on the way. */
  #toldRevision: number | undefined;
  /** Of the revision that is coming: what each document becomes; undefined: it goes. */
  #next: (readonly [key: string, entry: Entry | undefined])[] = [];
  #nextRevision = 0;
  #nextLength = 0;
  #parts = 0;

  take(part: PoliciesPart): Gathered {
    if (part.part === 1) this.#begin(part);
    else if (part.part !== this.#parts + 1 || part.revision !== this.#nextRevision) return this.#lose();
    if (part.sinceRevision !== 0 && part.sinceRevision !== this.#toldRevision) return this.#lose();
    this.#parts = part.part;
    for (const ref of part.gone) this.#next.push([policyKey(ref), undefined]);
    for (const document of part.documents) {
      const raw = parseJson(document.json);
      if (raw === undefined) return this.#lose('policies-unreadable');
      this.#nextLength += document.json.length;
      this.#next.push([policyKey(document), { raw, length: document.json.length }]);
    }
    // One change may be every document that goes and every one that comes.
    if (this.#next.length > 2 * maxPolicies || this.#nextLength > maxPoliciesLength)
      return this.#lose('policies-too-many');
    return part.part < part.parts ? 'more-to-come' : this.#finish(part);
  }

  #begin({ revision }: PoliciesPart): void {
    this.#nextRevision = revision;
    this.#next = [];
    this.#nextLength = 0;
  }

  #finish({ revision, sinceRevision }: PoliciesPart): Gathered {
    if (sinceRevision === 0) this.#told = new Map();
    for (const [key, entry] of this.#next) {
      if (entry === undefined) this.#told.delete(key);
      else this.#told.set(key, entry);
    }
    this.#next = [];
    let length = 0;
    for (const entry of this.#told.values()) length += entry.length;
    if (this.#told.size > maxPolicies || length > maxPoliciesLength) {
      this.#told = new Map();
      return this.#lose('policies-too-many');
    }
    this.#toldRevision = revision;
    const documents = Array.from(this.#told.values(), ({ raw }) => raw);
    return Object.freeze({ revision, documents: Object.freeze(documents) });
  }

  /** The rest of this revision is no good either; the control plane starts anew with the whole set. */
  #lose(problem: PartProblem = 'policies-incomplete'): PartProblem {
    this.#toldRevision = undefined;
    this.#parts = Number.NaN;
    this.#next = [];
    return problem;
  }
}

function parseJson(json: string): unknown {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
