import type { Clock } from '#runtime/clock.ts';
import type { Stream } from './stream.ts';

/** What frames cost that carry nothing of use, or little for the work they make (CVE-2019-9511 to 9518, CVE-2024-27316 and the like). */
export const frameCost = {
  /** May move every stream's window and empty the table. */
  settings: 20,
  /** A client looks at every stream that it has open. */
  goaway: 20,
  ping: 1,
  windowUpdate: 1,
  priority: 1,
  unknown: 1,
  /** DATA without a byte and without an end. */
  emptyData: 4,
  continuation: 4,
  reset: 1,
  /** For a stream that is gone; a window's worth of small frames may be on its way when we break one off. */
  late: 0.25,
  /** A head that we had to refuse. */
  refusedHead: 4,
} as const;

/**
 * What a stream costs that came to nothing (CVE-2023-44487): reset before its answer began, or broken off by us because
 * the peer made us do so (CVE-2025-8671), which no honest peer does often.
 */
export const resetCost = {
  earlyReset: 1,
  /** Of a tunnel that was opened: its callers come and go as TCP's do, and nothing is counted in their favour. */
  earlyTunnelReset: 0.25,
  /** After `patientMs`: whoever waits so long asks too much of a slow app, but floods nobody. */
  lateReset: 0.1,
  refused: 1,
  violation: 10,
} as const;

/** As long as a caller with a tight deadline may wait for its answer. */
const patientMs = 100;

/** Of a peer's reset, for a stream of that age: whoever resets before anything came of it made us work for nothing. */
export function costOfReset(stream: Pick<Stream, 'headSent' | 'isConnect' | 'dataSent'>, ageMs: number): number {
  const isUseful = stream.isConnect ? stream.dataSent : stream.headSent;
  if (isUseful) return 0;
  if (ageMs >= patientMs) return resetCost.lateReset;
  return stream.headSent ? resetCost.earlyTunnelReset : resetCost.earlyReset;
}

/** Frames that a peer may waste at once, and per second; each frame of use allows some more. */
const wasteBurst = 10_000;
const wastePerSecond = 1_000;
const wastePerUsefulFrame = 4;
const resetBurst = 1_000;
const resetsPerSecond = 100;

/** Longest chain of CONTINUATION frames; each but the last could have carried 16 KiB. */
export const maxContinuations = 64;
/** Informational heads before one answer. */
export const maxInformationalHeads = 32;
/**
 * Bytes that are written for a peer who reads nothing: before a server stops to read what it asks for, and before a
 * client gives up. A client never stops reading, or both sides could wait for each other.
 */
export const maxBytesWhileBlocked = { server: 262_144, client: 4_194_304 } as const;

/** A client that has written so much for a peer who reads nothing opens no further stream: our own heads are no flood. */
export const maxHeadBytesWhileBlocked = 1_048_576;

/** Counts what a peer wastes. Costs nothing while it does not: only an empty budget looks at the clock. */
export class FloodGuard {
  readonly #waste: Budget;
  readonly #resets: Budget;

  /** `useful`: how many frames of use there were in both directions; `answered`: how many streams got an answer. */
  constructor(clock: Clock, count: { readonly useful: () => number; readonly answered: () => number }) {
    this.#waste = new Budget(clock, wasteBurst, wastePerSecond, () => count.useful() * wastePerUsefulFrame);
    this.#resets = new Budget(clock, resetBurst, resetsPerSecond, count.answered);
  }

  /** False: the peer has gone too far. */
  allowsWaste(cost: number): boolean {
    return this.#waste.spend(cost);
  }

  allowsReset(cost: number): boolean {
    return this.#resets.spend(cost);
  }
}

class Budget {
  #left: number;
  #refilledMs: number;
  #seenEarned = 0;
  readonly #clock: Clock;
  readonly #most: number;
  readonly #perSecond: number;
  readonly #earned: () => number;

  constructor(clock: Clock, most: number, perSecond: number, earned: () => number) {
    this.#clock = clock;
    this.#most = most;
    this.#perSecond = perSecond;
    this.#earned = earned;
    this.#left = most;
    this.#refilledMs = clock.monotonic();
  }

  spend(cost: number): boolean {
    this.#left -= cost;
    return this.#left >= 0 || this.#refill();
  }

  #refill(): boolean {
    const nowMs = this.#clock.monotonic();
    const earned = this.#earned();
    const more = ((nowMs - this.#refilledMs) / 1_000) * this.#perSecond + (earned - this.#seenEarned);
    this.#left = Math.min(this.#most, this.#left + more);
    this.#refilledMs = nowMs;
    this.#seenEarned = earned;
    return this.#left >= 0;
  }
}
