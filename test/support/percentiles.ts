/** In milliseconds, to a tenth. */
export interface Spread {
  readonly samples: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export function spreadOf(valuesMs: readonly number[]): Spread {
  const sorted = valuesMs.toSorted((a, b) => a - b);
  const at = (share: number): number => {
    const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
    return Math.round(value * 10) / 10;
  };
  return { samples: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}
