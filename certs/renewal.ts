/** A certificate's life as renewal counts it: from its issue, not from `notBefore`, which lies 60 s back. */
export interface Life {
  readonly issuedAtMs: number;
  readonly notAfterMs: number;
}

/** When to renew: at a random point between 50 % and 66 % of life, so that a fleet started together does not renew together. */
export function renewAtMs(life: Life, random: number): number {
  return life.issuedAtMs + (life.notAfterMs - life.issuedAtMs) * (0.5 + 0.16 * random);
}

const shortestWindowMs = 250;

/**
 * When to try again after a failure at `nowMs`: at a random point of the window that follows, not in its first tenth. A window is
 * a twelfth of what is left of the life, so tries come closer together as expiry nears, but 250 ms at least. Never after expiry
 * while the certificate is valid; afterwards tries go on, one in each 250 ms.
 */
export function retryAtMs(life: Life, nowMs: number, random: number): number {
  const leftMs = life.notAfterMs - nowMs;
  const atMs = nowMs + Math.max(shortestWindowMs, leftMs / 12) * (0.1 + 0.9 * random);
  return leftMs > 0 ? Math.min(atMs, life.notAfterMs) : atMs;
}
