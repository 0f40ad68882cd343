import type { Clock, Random } from '#runtime/clock.ts';

/** What decides between endpoints. */
export interface Candidate {
  /** Requests and opaque streams in flight there. */
  readonly load: number;
  /** Monotonic; until then it is chosen only where there is nothing better. 0: it is good. */
  readonly asideUntilMs: number;
}

/** Chooses among the endpoints of a peer. Those that were set aside are asked again when their time is over. */
export class EndpointChoice<C extends Candidate> {
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

  /** Gives those that were among them until now and are not any more. */
  replace(all: readonly C[]): readonly C[] {
    const left = this.#all.filter((candidate) => !all.includes(candidate));
    this.#all = all;
    this.refresh();
    return left;
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

/**
 * Least requests of two random choices: one of `candidates`, of which a busy one is rarely the better of two, and no
 * two callers agree on which is the best of all. Undefined where there is none.
 */
export function chooseOfTwo<C extends Pick<Candidate, 'load'>>(
  candidates: readonly C[],
  random: Random,
): C | undefined {
  const { length } = candidates;
  if (length < 2) return candidates[0];
  const first = Math.floor(random() * length);
  const step = length === 2 ? 1 : 1 + Math.floor(random() * (length - 1));
  const a = candidates[first]!;
  const b = candidates[(first + step) % length]!;
  return b.load < a.load ? b : a;
}
