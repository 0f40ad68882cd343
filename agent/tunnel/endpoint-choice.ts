import type { Clock, Random } from '#runtime/clock.ts';
import { chooseOfTwo, type Candidate } from './choose.ts';

export interface Choosable extends Candidate {
  /** Monotonic; until then it is chosen only where there is nothing better. */
  readonly asideUntilMs: number;
}

/** Chooses among the endpoints of a peer. Those that were set aside are asked again when their time is over. */
export class EndpointChoice<C extends Choosable> {
  readonly #clock: Clock;
  readonly #random: Random;
  #all: readonly C[] = [];
  #usable: readonly C[] = [];
  /** When the next one that was set aside is good again; Infinity: none is. */
  #lookAgainMs = Infinity;

  constructor({ clock, random }: { clock: Clock; random: Random }) {
    this.#clock = clock;
    this.#random = random;
  }

  get all(): readonly C[] {
    return this.#all;
  }

  replace(all: readonly C[]): void {
    this.#all = all;
    this.refresh();
  }

  /** To be called when one was set aside or is good again. */
  refresh(): void {
    const now = this.#clock.monotonic();
    const aside = this.#all.filter(({ asideUntilMs }) => asideUntilMs > now);
    this.#usable = this.#all.filter(({ asideUntilMs }) => asideUntilMs <= now);
    this.#lookAgainMs = aside.reduce((earliest, { asideUntilMs }) => Math.min(earliest, asideUntilMs), Infinity);
  }

  choose(): C | undefined {
    this.#look();
    return chooseOfTwo(this.#usable.length > 0 ? this.#usable : this.#all, this.#random);
  }

  /** Where those in `tried` would not do; a good one first. */
  chooseBut(tried: ReadonlySet<C>): C | undefined {
    this.#look();
    const left = (candidates: readonly C[]): C[] => candidates.filter((candidate) => !tried.has(candidate));
    return chooseOfTwo(left(this.#usable), this.#random) ?? chooseOfTwo(left(this.#all), this.#random);
  }

  #look(): void {
    if (this.#lookAgainMs !== Infinity && this.#clock.monotonic() >= this.#lookAgainMs) this.refresh();
  }
}
