/** Tokens that were revoked before their time (RFC 7009), by `jti`, until they expire; at most 100,000. */
export interface RevokedTokens {
  has(tokenId: string): boolean;
  /** False: there is no room, which is a fault to be told. */
  add(tokenId: string, untilMs: number, nowMs: number): boolean;
}

const mostTokens = 100_000;

export function createRevokedTokens(): RevokedTokens {
  const until = new Map<string, number>();
  return {
    has: (tokenId) => until.has(tokenId),
    add(tokenId, untilMs, nowMs) {
      if (until.size >= mostTokens) for (const [id, endsAtMs] of until) if (endsAtMs <= nowMs) until.delete(id);
      if (until.size >= mostTokens) return false;
      until.set(tokenId, untilMs);
      return true;
    },
  };
}
