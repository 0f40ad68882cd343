import type { Clock, Timer } from '#runtime/clock.ts';

/** `silent`: it may come back. `lost`: nobody waits for it any more. */
export type Standing = 'answers' | 'silent' | 'lost';

const everyMs = 1_000;
const silentAfter = 5;
const lostAfter = 30;

/**
 * By how many looks in a row met a question without an answer. Looks and not time: when the whole machine stands still,
 * a worker is no worse than who looks at it.
 */
function standingAfter(missed: number): Standing {
  if (missed >= lostAfter) return 'lost';
  return missed >= silentAfter ? 'silent' : 'answers';
}

export interface HeartbeatParts {
  readonly clock: Clock;
  /** Resolves when the worker's event loop came to it. */
  readonly ping: () => Promise<unknown>;
  readonly onStanding: (standing: Standing) => void;
}

/** Looks every second whether a worker still answers, until it is stopped or lost. */
export class Heartbeat {
  readonly #parts: HeartbeatParts;
  #standing: Standing = 'answers';
  #missed = 0;
  #isAsked = false;
  #timer: Timer | undefined;

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
    this.#look();
  }

  get standing(): Standing {
    return this.#standing;
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    if (this.#isAsked) this.#count(this.#missed + 1);
    else this.#ask();
    if (this.#standing !== 'lost') this.#timer = this.#parts.clock.timer(everyMs, () => this.#look());
  }

  #ask(): void {
    this.#isAsked = true;
    const answered = (): void => {
      this.#isAsked = false;
      this.#count(0);
    };
    this.#parts.ping().then(answered, () => undefined); // who ended says so otherwise
  }

  #count(missed: number): void {
    this.#missed = missed;
    const standing = standingAfter(missed);
    if (standing === this.#standing || this.#standing === 'lost') return;
    this.#standing = standing;
    this.#parts.onStanding(standing);
  }
}
