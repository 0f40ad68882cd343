import type { AgentEmit } from '#agent/events.ts';
import { policyKey, type PoliciesPart } from '#proto/messages.ts';

/** Every document that concerns this agent, as of one revision; frozen. */
export interface PolicySet {
  readonly revision: number;
  /** Plain values as they were written. One that did not change is the same object as before. */
  readonly documents: readonly unknown[];
}

/** Puts a set into force; returns why it cannot be, undefined when it is. */
export type OnPolicies = (documents: readonly unknown[], revision: number) => string | undefined;

export interface PolicyBookParts {
  readonly onChange: OnPolicies;
  /** Told each set that came into force from the control plane. */
  readonly onApplied: (set: PolicySet) => void;
  readonly emit: AgentEmit;
}

/** Takes one part of a revision; returns why it was not applied, `''` when it was or waits for the others. */
export type TakePart = (part: PoliciesPart) => string;

/**
 * The documents that are in force here. Parts of a revision are gathered and come into force all at once; what cannot
 * be read or put into force changes nothing.
 */
export class PolicyBook {
  readonly #parts: PolicyBookParts;
  #streams = 0;
  /** Of which stream the set in force is. */
  #from = 0;

  constructor(parts: PolicyBookParts) {
    this.#parts = parts;
  }

  /** A set of an earlier run, until the control plane speaks. */
  resume(set: PolicySet): void {
    if (this.#from > 0) return;
    const problem = this.#parts.onChange(set.documents, set.revision);
    if (problem !== undefined) return this.#parts.emit({ event: 'policies.refused', revision: set.revision, problem });
    this.#parts.emit({ event: 'policies.resumed', revision: set.revision, documents: set.documents.length });
  }

  /** Each stream tells the whole set first, and then what differs from what it told. */
  openStream(): TakePart {
    const stream = (this.#streams += 1);
    const gatherer = new PartGatherer();
    return (part) => {
      const gathered = gatherer.take(part);
      if (gathered === 'more-to-come') return '';
      if (typeof gathered !== 'string') return this.#swap(gathered, stream);
      this.#parts.emit({ event: 'policies.refused', revision: part.revision, problem: gathered });
      return gathered;
    };
  }

  #swap(set: PolicySet, stream: number): string {
    if (stream < this.#from) return ''; // a newer stream has spoken: this one is about to close
    const { onChange, onApplied, emit } = this.#parts;
    const problem = onChange(set.documents, set.revision);
    if (problem !== undefined) {
      emit({ event: 'policies.refused', revision: set.revision, problem });
      return problem;
    }
    this.#from = stream;
    emit({ event: 'policies.applied', revision: set.revision, documents: set.documents.length });
    onApplied(set);
    return '';
  }
}

type Gathered = 'more-to-come' | PartProblem | PolicySet;
type PartProblem = 'policies-incomplete' | 'policies-unreadable';

/** What one stream has told, whether or not it could be put into force. */
class PartGatherer {
  #told = new Map<string, unknown>();
  /** Undefined: not even the first set is whole, or something was lost on the way. */
  #toldRevision: number | undefined;
  /** Of the revision that is coming: what each document becomes; undefined: it goes. */
  #next: (readonly [key: string, raw: unknown])[] = [];
  #nextRevision = 0;
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
      this.#next.push([policyKey(document), raw]);
    }
    return part.part < part.parts ? 'more-to-come' : this.#finish(part);
  }

  #begin({ revision }: PoliciesPart): void {
    this.#nextRevision = revision;
    this.#next = [];
  }

  #finish({ revision, sinceRevision }: PoliciesPart): PolicySet {
    if (sinceRevision === 0) this.#told = new Map();
    for (const [key, raw] of this.#next) {
      if (raw === undefined) this.#told.delete(key);
      else this.#told.set(key, raw);
    }
    this.#next = [];
    this.#toldRevision = revision;
    return Object.freeze({ revision, documents: Object.freeze([...this.#told.values()]) });
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
