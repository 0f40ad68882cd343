import { join } from 'node:path';
import type { AgentEmit } from '#agent/events.ts';
import { readPrivateFile, removeDrafts, replacePrivateFile } from '#agent/private-file.ts';
import type { Clock } from '#runtime/clock.ts';
import { aborted } from '#runtime/drain.ts';
import type { PolicySet } from './part-gatherer.ts';

const fileName = 'policies.json';
/** The control plane has 8 Mi characters of them at most. */
const maxFileBytes = 32 * 1024 * 1024;
const format = 1;
/** In a storm of changes not every one is written: what is kept is used only until the control plane answers. */
const writeEveryMs = 1_000;

export interface KeptPoliciesParts {
  /** The agent's state folder, 0700. */
  readonly dir: string;
  /** Whose documents they are. */
  readonly workload: string;
  readonly clock: Clock;
  readonly emit: AgentEmit;
}

interface Kept extends PolicySet {
  readonly format: number;
  readonly workload: string;
}

/** Keeps the last good documents over a restart. */
export class KeptPolicies {
  readonly #parts: KeptPoliciesParts;
  #unwritten: PolicySet | undefined;
  #wake = Promise.withResolvers<void>();

  constructor(parts: KeptPoliciesParts) {
    this.#parts = parts;
  }

  /** Undefined: there is none, or it is of no use, which is told. */
  async load(): Promise<PolicySet | undefined> {
    const { dir, workload, emit } = this.#parts;
    await removeDrafts(dir, fileName);
    const text = await readPrivateFile(join(dir, fileName), maxFileBytes);
    if (!text.ok) {
      if (text.reason !== 'none') emit({ event: 'state.refused', reason: `${fileName}: ${text.reason}` });
      return undefined;
    }
    const kept = parseKept(text.value);
    if (kept?.workload === workload) return { revision: kept.revision, documents: Object.freeze(kept.documents) };
    emit({ event: 'state.refused', reason: `${fileName}: ${kept === undefined ? 'malformed' : 'other-workload'}` });
    return undefined;
  }

  save(set: PolicySet): void {
    this.#unwritten = set;
    this.#wake.resolve();
  }

  /** Writes what was given to `save`, the newest only; also what is left when the signal aborts. Then throws its reason. */
  async run(signal: AbortSignal): Promise<never> {
    const { clock } = this.#parts;
    const stopped = aborted(signal);
    while (!signal.aborted) {
      await Promise.race([this.#wake.promise, stopped]);
      await this.#write();
      await clock.sleep(writeEveryMs, signal).catch(() => undefined);
    }
    await this.#write();
    throw signal.reason;
  }

  async #write(): Promise<void> {
    const set = this.#unwritten;
    if (set === undefined) return;
    this.#unwritten = undefined;
    this.#wake = Promise.withResolvers<void>();
    const { dir, workload, emit } = this.#parts;
    const kept: Kept = { format, workload, revision: set.revision, documents: set.documents };
    try {
      await replacePrivateFile(dir, fileName, `${JSON.stringify(kept)}\n`);
    } catch (error) {
      emit({ event: 'state.not-kept', error });
    }
  }
}

function parseKept(text: string): Kept | undefined {
  try {
    const value = JSON.parse(text) as Partial<Kept> | null;
    const isKept =
      value?.format === format &&
      typeof value.workload === 'string' &&
      Number.isSafeInteger(value.revision) &&
      Array.isArray(value.documents);
    return isKept ? (value as Kept) : undefined;
  } catch {
    return undefined;
  }
}
