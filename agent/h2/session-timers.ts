import type { Clock, Timer } from '#runtime/clock.ts';

type TimerName = 'preface' | 'settings' | 'head' | 'ping' | 'goaway' | 'idle' | 'stall' | 'linger';

/** The few timers of one session; none belongs to a stream. */
export class SessionTimers {
  readonly #clock: Clock;
  readonly #running = new Map<TimerName, Timer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isRunning(name: TimerName): boolean {
    return this.#running.has(name);
  }

  start(name: TimerName, ms: number, fire: () => void): void {
    this.stop(name);
    if (ms === Infinity) return;
    const timer = this.#clock.timer(ms, () => {
      this.#running.delete(name);
      fire();
    });
    this.#running.set(name, timer);
  }

  stop(name: TimerName): void {
    this.#running.get(name)?.cancel();
    this.#running.delete(name);
  }

  stopAll(): void {
    for (const timer of this.#running.values()) timer.cancel();
    this.#running.clear();
  }
}
