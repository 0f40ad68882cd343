/**
 * How long to wait before attempt `attempt` (0 = first retry): full jitter under a ceiling that doubles from `baseMs`
 * up to `maxMs`, never less than a tenth of the ceiling, so that a fleet neither retries together nor spins.
 */
export function backoffMs(attempt: number, bounds: { baseMs: number; maxMs: number }, random: number): number {
  const ceiling = Math.min(bounds.maxMs, bounds.baseMs * 2 ** Math.min(attempt, 30));
  return ceiling * (0.1 + 0.9 * random);
}
