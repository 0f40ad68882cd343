/** Of an even number: the mean of the two in the middle. NaN of none. */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? NaN;
  const high = sorted[Math.floor(middle)] ?? NaN;
  return (low + high) / 2;
}

/**
 * How many times the reference. Samples of one round were taken next to each other, so each round gives a ratio of its
 * own and the median is of those: what disturbs the machine for a while disturbs both alike.
 */
export function ratio(samples: readonly number[], reference: readonly number[]): number {
  const rounds = Math.min(samples.length, reference.length);
  return median(Array.from({ length: rounds }, (_, round) => (samples[round] ?? NaN) / (reference[round] ?? NaN)));
}

/** The smallest sample that at least `share` (0 to 1) of them do not exceed. NaN of none. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}
