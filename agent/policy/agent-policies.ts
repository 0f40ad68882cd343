import type { AgentEmit } from '#agent/events.ts';
import type { IdentityStore } from '#agent/identity/store.ts';
import type { Clock } from '#runtime/clock.ts';
import { aborted } from '#runtime/drain.ts';
import { KeptPolicies } from './kept-policies.ts';
import type { PolicySet } from './part-gatherer.ts';
import { PolicyBook, type OnPolicies, type TakePart } from './policy-book.ts';

export interface AgentPoliciesParts {
  readonly store: IdentityStore;
  /** Where the last good documents are kept over restarts, 0700; undefined: nowhere. */
  readonly stateDir: string | undefined;
  readonly workload: string;
  readonly onChange: OnPolicies;
  readonly clock: Clock;
  readonly emit: AgentEmit;
}

/** The documents in force, and their way over restarts. */
export interface AgentPolicies {
  openStream(): TakePart;
  /** Runs until the signal aborts, then throws its reason. */
  run(signal: AbortSignal): Promise<never>;
}

/**
 * What was kept comes into force with the first identity, before anybody else hears of that: no listener opens with
 * fewer documents than there were. Needs a state folder that is there and safe.
 */
export async function openAgentPolicies(parts: AgentPoliciesParts): Promise<AgentPolicies> {
  const { store, stateDir, onChange, emit } = parts;
  const kept = stateDir === undefined ? undefined : new KeptPolicies({ ...parts, dir: stateDir });
  const book = new PolicyBook({ onChange, onApplied: (set: PolicySet) => kept?.save(set), emit });
  const earlier = await kept?.load();
  if (earlier !== undefined) {
    const unsubscribe = store.subscribe(() => {
      unsubscribe();
      book.resume(earlier);
    });
  }
  return {
    openStream: () => book.openStream(),
    run: (signal) => (kept === undefined ? never(signal) : kept.run(signal)),
  };
}

async function never(signal: AbortSignal): Promise<never> {
  await aborted(signal);
  throw signal.reason;
}
