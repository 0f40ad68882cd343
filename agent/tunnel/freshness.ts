/**
 * Until when a session may carry new streams, given when it was made and when the first of its two certificates
 * expires. `softMs`: from here on a newer session is looked for; it lies at three quarters of what was left, so that
 * a peer that could not renew is asked again ever more often, but not at every request. `hardMs`: no new stream at
 * all; shortly before expiry, so that a request sent in time also arrives in time.
 */
export function sessionFreshness(openedAtMs: number, firstNotAfterMs: number): { softMs: number; hardMs: number } {
  const leftMs = Math.max(0, firstNotAfterMs - openedAtMs);
  const guardMs = Math.min(500, leftMs * 0.05);
  return { softMs: openedAtMs + leftMs * 0.75, hardMs: firstNotAfterMs - guardMs };
}
