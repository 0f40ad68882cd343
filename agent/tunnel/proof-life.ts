import type { Clock, Timer } from '#runtime/clock.ts';

/** Until when the certificates of both ends hold. */
export interface Proofs {
  readonly ownNotAfterMs: number;
  readonly peerNotAfterMs: number;
}

export interface ProofLifeHooks {
  /** From `fresh` to `aging`. */
  readonly onAging: () => void;
  /** From `aging` to `closed`. */
  readonly onClosing: () => void;
  /** One of the two certificates has expired. */
  readonly onExpired: () => void;
}

/**
 * How long a connection may serve by the certificates its two ends have shown. Starts anew when either end has proved a
 * later certificate on it. Timers tell in time; `state` looks at the clock as well, which a sleeping machine's timers
 * do not follow.
 */
export class ProofLife {
  readonly #clock: Clock;
  readonly #hooks: ProofLifeHooks;
  #proofs: Proofs;
  #softMs = 0;
  #hardMs = 0;
  #timers: Timer[] = [];

  constructor(proofs: Proofs, clock: Clock, hooks: ProofLifeHooks) {
    this.#clock = clock;
    this.#hooks = hooks;
    this.#proofs = proofs;
    this.#arm();
  }

  /** `fresh`: use it. `aging`: look for a newer one, use this while there is none. `closed`: no new stream. */
  get state(): 'fresh' | 'aging' | 'closed' {
    const now = this.#clock.now();
    if (now < this.#softMs) return 'fresh';
    return now < this.#hardMs ? 'aging' : 'closed';
  }

  /** The earlier of the two ends. */
  get endsAtMs(): number {
    return Math.min(this.#proofs.ownNotAfterMs, this.#proofs.peerNotAfterMs);
  }

  /** An end has shown a certificate that holds longer; an earlier one changes nothing. */
  extend(proved: Partial<Proofs>): void {
    const { ownNotAfterMs, peerNotAfterMs } = this.#proofs;
    this.#proofs = {
      ownNotAfterMs: Math.max(ownNotAfterMs, proved.ownNotAfterMs ?? 0),
      peerNotAfterMs: Math.max(peerNotAfterMs, proved.peerNotAfterMs ?? 0),
    };
    this.stop();
    this.#arm();
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
  }

  #arm(): void {
    const { softMs, hardMs } = sessionFreshness(this.#clock.now(), this.endsAtMs);
    this.#softMs = softMs;
    this.#hardMs = hardMs;
    const { onAging, onClosing, onExpired } = this.#hooks;
    this.#wait(0, softMs, onAging);
    this.#wait(1, hardMs, onClosing);
    this.#wait(2, this.endsAtMs, onExpired);
  }

  /** A timer that fires early, as one of many weeks does, is set again. */
  #wait(index: 0 | 1 | 2, untilMs: number, fire: () => void): void {
    this.#timers[index] = this.#clock.timer(untilMs - this.#clock.now(), () => {
      if (this.#clock.now() < untilMs) this.#wait(index, untilMs, fire);
      else fire();
    });
  }
}

/**
 * Until when a session may carry new streams, given when it was made and when the first of its two certificates
 * expires. `softMs`: from here on a newer session is looked for; it lies at three quarters of what was left, so that
 * a peer that could not renew is asked again ever more often, but not at every request. `hardMs`: no new stream at
 * all; shortly before expiry, so that a request sent in time also arrives in time.
 */
function sessionFreshness(openedAtMs: number, firstNotAfterMs: number): { softMs: number; hardMs: number } {
  const leftMs = Math.max(0, firstNotAfterMs - openedAtMs);
  const guardMs = Math.min(500, leftMs * 0.05);
  return { softMs: openedAtMs + leftMs * 0.75, hardMs: firstNotAfterMs - guardMs };
}
