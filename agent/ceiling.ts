/** Something of which there is only so much at once. Whoever found it not full may enter, and leaves once. */
export interface Room {
  readonly isFull: boolean;
  enter(): void;
  leave(): void;
}

/** Enters, and gives the way out: further calls of it do nothing. */
export function takeSeat(room: Room): () => void {
  let isTaken = true;
  room.enter();
  return () => {
    if (!isTaken) return;
    isTaken = false;
    room.leave();
  };
}

/** A peer may fill a ceiling until it has so many times what is left for others: alone four fifths of it. */
const timesLeft = 4;

/** Counts what is there at once, of all callers. */
export class Ceiling implements Room {
  count = 0;
  readonly max: number;
  readonly #above: Ceiling | undefined;

  /** `above`: one that holds for these and for others together. */
  constructor(max: number, above?: Ceiling) {
    this.max = max;
    this.#above = above;
  }

  get isFull(): boolean {
    return this.count >= this.max || this.#above?.isFull === true;
  }
  enter(): void {
    this.count += 1;
    this.#above?.enter();
  }
  leave(): void {
    this.count -= 1;
    this.#above?.leave();
  }
}

/**
 * One caller's part of a ceiling. It has no fixed size, which would be too small for an only caller and too large for one
 * of many: the more it has and the less is left, the sooner it is full, so that nobody shuts out the others (dynamic
 * thresholds, as switches share their buffers).
 */
export class Share implements Room {
  count = 0;
  readonly #whole: Ceiling;

  constructor(whole: Ceiling) {
    this.#whole = whole;
  }

  get isFull(): boolean {
    const { max, count, isFull } = this.#whole;
    return isFull || this.count >= timesLeft * (max - count);
  }
  enter(): void {
    this.count += 1;
    this.#whole.enter();
  }
  leave(): void {
    this.count -= 1;
    this.#whole.leave();
  }
}
