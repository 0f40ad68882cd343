import type { RequestHead } from '#agent/http/head.ts';
import type { CompiledPolicy } from '#policy/compile.ts';
import type { Call } from '#policy/model.ts';
import type { Refusal } from './permit.ts';

/** One call that was refused, and by which rules. */
export interface KeptRefusal {
  readonly atMs: number;
  readonly refusal: Refusal;
  readonly call: Call;
  /** As they stood. */
  readonly policy: CompiledPolicy;
}

const maxRefusals = 1_000;
/** Each may hold many rules in memory. */
const maxPolicies = 4;
/** Longer ones are not kept: whoever is refused must not fill our memory. */
const maxHeadChars = 4_096;

/** The newest refusals by the ID that the caller was told, so that they can be explained. */
export class RefusalBook {
  readonly #kept = new Map<string, KeptRefusal>();
  /** Of those that are kept, the newest last. */
  readonly #policies: CompiledPolicy[] = [];

  keep(decisionId: string | undefined, kept: KeptRefusal): void {
    if (decisionId === undefined) return;
    this.#kept.set(decisionId, kept);
    this.#note(kept.policy);
    if (this.#kept.size <= maxRefusals) return;
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      break;
    }
  }

  #note(policy: CompiledPolicy): void {
    if (this.#policies.at(-1) === policy) return;
    this.#policies.push(policy);
    if (this.#policies.length <= maxPolicies) return;
    const oldest = this.#policies.shift();
    for (const [id, kept] of this.#kept) if (kept.policy === oldest) this.#kept.delete(id);
  }

  find(decisionId: string): KeptRefusal | undefined {
    return this.#kept.get(decisionId);
  }
}

/** Whether so much of a request may be kept. */
export function isKept({ target, host, headers }: RequestHead): boolean {
  let chars = target.length + host.length;
  for (const { name, value } of headers) chars += name.length + value.length;
  return chars <= maxHeadChars;
}
