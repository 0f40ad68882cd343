import { ok, refuse, type Result } from '#runtime/result.ts';

/** IDs (`jti`) of proofs and assertions that may be used once. */
export interface SeenIds {
  /**
   * Takes an ID that is new. Refuses one that was seen before its time, and any where memory is full: to forget one that
   * still counts would let it through again (A70).
   */
  admit(
    id: string,
    times: { readonly nowMs: number; readonly untilMs: number },
  ): Result<void, 'replayed' | 'too-many-ids'>;
  readonly size: number;
}

const sweepEveryMs = 1_000;

/**
 * At most `capacity` IDs. An ID is unique only together with its sender: write both, or keep one list for each sender, which also
 * keeps one from filling the others' memory.
 */
export function createSeenIds(capacity: number): SeenIds {
  const until = new Map<string, number>();
  let sweptAtMs = -Infinity;
  /** Not more than once a second: whoever floods must not buy a sweep with each ID. */
  const sweep = (nowMs: number): void => {
    if (nowMs >= sweptAtMs && nowMs < sweptAtMs + sweepEveryMs) return;
    sweptAtMs = nowMs;
    for (const [id, untilMs] of until) if (untilMs <= nowMs) until.delete(id);
  };
  return {
    admit(id, { nowMs, untilMs }) {
      const known = until.get(id);
      if (known !== undefined && known > nowMs) return refuse('replayed');
      if (known === undefined && until.size >= capacity) {
        sweep(nowMs);
        if (until.size >= capacity) return refuse('too-many-ids');
      }
      until.set(id, untilMs);
      return ok(undefined);
    },
    get size() {
      return until.size;
    },
  };
}
