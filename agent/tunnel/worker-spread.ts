import type { WorkerPlace } from '#agent/h2/types.ts';

/** What a session tells of itself here. */
export interface Spreadable {
  readonly load: number;
  readonly peerWorker: WorkerPlace | undefined;
}

/** In flight at once on one session, from where on further workers of its peer are asked. */
const fromLoad = 16;
/** Of the peer's workers that get a session. */
const maxWorkers = 8;
/** Which worker answers is chance: so many attempts for the next one that has no session yet. */
const maxAttempts = 32;

/**
 * A peer's agent may be several like workers behind one port, where each connection belongs to one of them: whoever has
 * much to ask must have sessions to several. The peer says in its SETTINGS which worker it is.
 */
export class WorkerSpread {
  #attempts = 0;

  /** Whether one more session to another worker is to be tried for, beside these that serve. */
  wants(serving: readonly Spreadable[]): boolean {
    const wanted = Math.min(serving[0]?.peerWorker?.of ?? 1, maxWorkers);
    if (serving.length >= wanted || serving.length === 0 || this.#attempts >= maxAttempts) return false;
    return serving.every(({ load }) => load >= fromLoad);
  }

  /** Whether this new session is to a worker that has none yet. */
  judge(session: Spreadable, serving: readonly Spreadable[]): 'another' | 'known' {
    const worker = session.peerWorker?.worker;
    const isAnother = worker !== undefined && serving.every(({ peerWorker }) => peerWorker?.worker !== worker);
    this.#attempts = isAnother ? 0 : this.#attempts + 1;
    return isAnother ? 'another' : 'known';
  }

  /** No more attempts until `again`. */
  giveUp(): void {
    this.#attempts = maxAttempts;
  }
  again(): void {
    this.#attempts = 0;
  }
}
