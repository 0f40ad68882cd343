import type { AgentEmit } from '#agent/events.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { readKeySet, type KeySet } from '#tokens/jwks.ts';
import type { FetchAnswers, IssuerKeys, IssuerRules } from './issuer-keys.ts';

export interface IssuerBookParts {
  readonly rules: IssuerRules;
  readonly emit: AgentEmit;
  readonly onChange: () => void;
}

/** The last good keys of one issuer: what cannot be believed replaces nothing, and is told once (A22, A24). */
export class IssuerBook {
  readonly rules: IssuerRules;
  readonly #parts: IssuerBookParts;
  #keys: KeySet | undefined;
  #document: string | undefined;
  /** Of pushed keys. */
  #version = 0;
  #told = '';

  constructor(parts: IssuerBookParts) {
    this.rules = parts.rules;
    this.#parts = parts;
  }

  get document(): string | undefined {
    return this.#document;
  }

  state(fetches: FetchAnswers | undefined): IssuerKeys {
    return { rules: this.rules, document: this.#document, fetches };
  }

  /** An empty set is taken: every key is revoked (A23). */
  take(document: Buffer): Result<'changed' | 'same', string> {
    const text = document.toString('utf8');
    if (text === this.#document) {
      this.#told = '';
      return ok('same');
    }
    const { algorithms, name } = this.rules;
    const read = readKeySet(document, { algorithms, use: 'sig', previous: this.#keys });
    if (!read.ok) return this.refused(read.reason);
    this.#keys = read.value;
    this.#document = text;
    this.#told = '';
    const { keys, passedOver } = read.value;
    this.#parts.emit({ event: 'token-keys.applied', issuer: name, keys: keys.size, passedOver: passedOver.length });
    this.#parts.onChange();
    return ok('changed');
  }

  /** The control plane counts its key sets: an older one is an old one played again (A24). */
  takePushed(document: string, version: number): Result<'changed' | 'same', string> {
    if (version < this.#version) return this.refused('rollback');
    const taken = this.take(Buffer.from(document, 'utf8'));
    if (taken.ok) this.#version = version;
    return taken;
  }

  /** Nothing that it signed is believed any more. */
  drop(problem: string): void {
    if (this.#document === undefined) return;
    this.#document = undefined;
    this.refused(problem);
    this.#parts.onChange();
  }

  /** Tells a problem, once as long as it is the same. */
  refused(problem: string): Result<never, string> {
    if (problem !== this.#told) {
      const { name } = this.rules;
      const keys = this.#document === undefined ? 0 : (this.#keys?.keys.size ?? 0);
      this.#parts.emit({ event: 'token-keys.refused', issuer: name, problem, keys });
    }
    this.#told = problem;
    return refuse(problem);
  }
}
