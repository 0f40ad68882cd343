import { Latencies } from './latencies.ts';

/** What a run has seen so far. */
export class Tally {
  readonly latencies = new Latencies();
  /** Of bodies and messages received. */
  bytes = 0;
  countWithWarmUp = 0;
  /** The first thing that went wrong: then no figure counts. */
  failure: string | undefined;

  answered(ms: number): void {
    this.latencies.add(ms);
    this.countWithWarmUp += 1;
  }

  failed(why: string): void {
    this.failure ??= why;
  }

  /** The warm-up is over. */
  restart(): void {
    this.latencies.clear();
    this.bytes = 0;
  }
}

/** One kind of work on its connections. */
export interface Driver {
  /** Resolves when all connections are open. */
  open(): Promise<void>;
  start(): void;
  /** Resolves when every connection was answered once: nobody is busy with handshakes any more. */
  settled(): Promise<void>;
  /** No new requests; resolves when those that belong to the counted time are answered. */
  finish(): Promise<void>;
  close(): void;
}
