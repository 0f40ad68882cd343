const linearUs = 1024;
const stepsPerDoubling = 512;
const doublings = 18; // up to 2^28 µs, 4.5 minutes

/**
 * How many took how long: to the microsecond below 1.024 ms, to 0.2 % above. Of fixed size, so that millions of them
 * cost nothing.
 */
export class Latencies {
  readonly #counts = new Float64Array(linearUs + stepsPerDoubling * doublings);
  #total = 0;

  get total(): number {
    return this.#total;
  }

  add(ms: number): void {
    this.#counts[slotOf(ms * 1000)]! += 1;
    this.#total += 1;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }

  /** In milliseconds: what at least `share` (0 to 1) of them did not exceed. NaN of none. */
  percentile(share: number): number {
    if (this.#total === 0) return NaN;
    let missing = Math.max(1, Math.ceil(this.#total * share));
    const slot = this.#counts.findIndex((count) => (missing -= count) <= 0);
    return upperUs(slot) / 1000;
  }
}

function slotOf(us: number): number {
  const whole = Math.min(Math.max(0, Math.ceil(us)), 2 ** (10 + doublings) - 1);
  if (whole < linearUs) return whole;
  const doubling = 31 - Math.clz32(whole); // at least 10
  return linearUs + (doubling - 10) * stepsPerDoubling + ((whole >> (doubling - 9)) & (stepsPerDoubling - 1));
}

function upperUs(slot: number): number {
  if (slot < linearUs) return slot;
  const doubling = 10 + Math.floor((slot - linearUs) / stepsPerDoubling);
  const step = (slot - linearUs) % stepsPerDoubling;
  return (stepsPerDoubling + step + 1) * 2 ** (doubling - 9) - 1;
}
