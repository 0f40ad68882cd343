import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Carrier } from './carrier.ts';
import { ProofLife, type Proofs } from './proof-life.ts';

/** Of all connections to one server. */
export interface PlainTally {
  keptStreams: number;
}

export interface PlainOrder {
  readonly proofs: Proofs;
  readonly whenExpired: 'keep' | 'end';
  readonly tally: PlainTally;
  /** Nothing more may go out on it; comes once. */
  readonly onRetired: (connection: PlainConnection) => void;
}

/** One TLS connection to a foreign server: a stream of its own. Not used again from shortly before its certificates expire. */
export class PlainConnection implements Carrier {
  readonly pipe: Pipe;
  #keptStreams = 0;
  readonly #order: PlainOrder;
  readonly #life: ProofLife;
  isRetired = false;
  excess = 0;

  constructor(pipe: Pipe, order: PlainOrder, clock: Clock) {
    this.pipe = pipe;
    this.#order = order;
    this.#life = new ProofLife(order.proofs, clock, {
      onAging: () => this.retire(),
      onClosing: () => undefined,
      onExpired: () => order.whenExpired === 'end' && pipe.cut(),
    });
  }

  get keptStreams(): number {
    return this.#keptStreams;
  }
  set keptStreams(count: number) {
    this.#order.tally.keptStreams += count - this.#keptStreams;
    this.#keptStreams = count;
  }
  get isUsable(): boolean {
    return !this.isRetired && this.#life.state === 'fresh';
  }

  retire(): void {
    if (this.isRetired) return;
    this.isRetired = true;
    this.#order.onRetired(this);
  }

  /** It is closed. */
  over(): void {
    this.#life.stop();
    this.retire();
  }
}
