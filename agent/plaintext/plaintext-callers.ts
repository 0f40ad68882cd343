import { join } from 'node:path';
import type { AgentEmit } from '#agent/events.ts';
import { readPrivateFile, removeDrafts, replacePrivateFile } from '#agent/private-file.ts';
import type { Clock } from '#runtime/clock.ts';
import { continueReport, emptyReport, type LedgerReport } from './ledger-report.ts';
import { keptText, parseKept } from './kept-ledger.ts';

const fileName = 'plaintext-callers.json';
const maxFileBytes = 4 * 1024 * 1024;
/** What changed within that time before a `kill -9` is lost. */
const lookEveryMs = 2_000;
/** Written so often also where nothing changes: that it was observed is what counts then. */
const renewEveryMs = 300_000;
/** A restart takes no longer; whoever did not look for longer begins to observe anew. */
const maxGapMs = 600_000;

export interface PlaintextCallersParts {
  /** The agent's state folder, 0700; undefined: nothing outlives this run. */
  readonly dir: string | undefined;
  readonly workload: string;
  /** What this run observes. */
  readonly observed: () => Promise<LedgerReport>;
  readonly clock: Clock;
  readonly emit: AgentEmit;
}

/** Who called in plaintext, in this run and, where there is a state folder, in those before it. */
export class PlaintextCallers {
  readonly #parts: PlaintextCallersParts;
  #earlier = emptyReport;
  #isGapless = false;
  #writtenMs = -Infinity;
  #writtenChanges = -1;
  #isUnwritable = false;

  constructor(parts: PlaintextCallersParts) {
    this.#parts = parts;
  }

  /** Before anything is observed. A file that is of no use is told, and then it starts anew. */
  async load(): Promise<void> {
    const { dir, workload, emit, clock } = this.#parts;
    if (dir === undefined) return;
    await removeDrafts(dir, fileName);
    const text = await readPrivateFile(join(dir, fileName), maxFileBytes);
    if (!text.ok) {
      if (text.reason !== 'none') emit({ event: 'state.refused', reason: `${fileName}: ${text.reason}` });
      return;
    }
    const kept = parseKept(text.value);
    if (kept?.workload !== workload) {
      const reason = kept === undefined ? 'malformed' : 'other-workload';
      return emit({ event: 'state.refused', reason: `${fileName}: ${reason}` });
    }
    const gapMs = clock.now() - kept.savedAtMs;
    this.#earlier = kept.report;
    this.#isGapless = gapMs >= 0 && gapMs <= maxGapMs;
  }

  /** Rejects when a part of the agent that observes does not answer. */
  async report(): Promise<LedgerReport> {
    return continueReport(this.#earlier, await this.#parts.observed(), { isGapless: this.#isGapless });
  }

  /** Keeps what is observed until the signal aborts; also what came last. Ends then. */
  async run(signal: AbortSignal): Promise<void> {
    const { dir, clock } = this.#parts;
    if (dir === undefined) return;
    while (!signal.aborted) {
      await this.#save(dir);
      await clock.sleep(lookEveryMs, signal).catch(() => undefined);
    }
    await this.#save(dir);
  }

  async #save(dir: string): Promise<void> {
    const { clock, emit, workload } = this.#parts;
    try {
      const report = await this.report();
      const isDue = report.changes !== this.#writtenChanges || clock.monotonic() - this.#writtenMs >= renewEveryMs;
      if (!isDue || report.ports.length === 0) return;
      await replacePrivateFile(dir, fileName, keptText({ workload, savedAtMs: clock.now(), report }));
      this.#writtenChanges = report.changes;
      this.#writtenMs = clock.monotonic();
      this.#isUnwritable = false;
    } catch (error) {
      if (!this.#isUnwritable) emit({ event: 'state.not-kept', error });
      this.#isUnwritable = true;
    }
  }
}
