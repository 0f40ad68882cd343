import { createCounters } from '#agent/admin/metrics.ts';
import { copyCounters } from '#agent/admin/sum-counters.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Report } from './worker-calls.ts';

/** A worker that takes longer is not waited for. */
const deadlineMs = 500;

export interface ReadReport extends Report {
  /** `silent`: it did not answer in time, and this is what it said last. */
  readonly state: 'answers' | 'silent';
}

/** What one worker reports. Numbers never go back, also when it does not answer. */
export class LastReport {
  readonly #ask: () => Promise<Report>;
  readonly #clock: Clock;
  #last: Report = { counters: copyCounters(createCounters()), connections: { outbound: 0, inbound: 0 } };
  #asked: Promise<void> | undefined;

  constructor(ask: () => Promise<Report>, clock: Clock) {
    this.#ask = ask;
    this.#clock = clock;
  }

  async read(): Promise<ReadReport> {
    this.#asked ??= this.#renew();
    const state = await this.#within(this.#asked);
    return { ...this.#last, state };
  }

  async #renew(): Promise<void> {
    try {
      this.#last = await this.#ask();
      this.#asked = undefined;
    } catch {
      // it has ended: what it said last stays
    }
  }

  #within(answered: Promise<void>): Promise<'answers' | 'silent'> {
    return new Promise((resolve) => {
      const late = this.#clock.timer(deadlineMs, () => resolve('silent'));
      void answered.then(() => {
        late.cancel();
        resolve('answers');
      });
    });
  }
}
