import type { AgentEmit } from '#agent/events.ts';
import type { PoliciesPart } from '#proto/messages.ts';
import { PartGatherer, type PolicySet } from './part-gatherer.ts';
import type { PolicyOutcome } from './policy-compiler.ts';

/** Puts a set into force, as far as it can be judged. */
export type OnPolicies = (documents: readonly unknown[], revision: number) => PolicyOutcome;

export interface PolicyBookParts {
  readonly onChange: OnPolicies;
  /** Told each set that came into force from the control plane, but for what of it cannot be judged perhaps. */
  readonly onApplied: (set: PolicySet) => void;
  readonly emit: AgentEmit;
}

/** Takes one part of a revision; returns what of it was not applied, and why; `''` when it was or waits for the others. */
export type TakePart = (part: PoliciesPart) => string;

/**
 * The documents that are in force here. Parts of a revision are gathered and come into force all at once; what cannot
 * be read changes nothing, and what cannot be judged keeps nothing else out of force.
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
    const { problem } = this.#parts.onChange(set.documents, set.revision);
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
    const { isInForce, problem } = onChange(set.documents, set.revision);
    if (problem !== undefined) emit({ event: 'policies.refused', revision: set.revision, problem });
    else emit({ event: 'policies.applied', revision: set.revision, documents: set.documents.length });
    if (!isInForce) return problem ?? '';
    this.#from = stream;
    onApplied(set); // also one with a problem: what else it says must not be forgotten over a restart
    return problem ?? '';
  }
}
