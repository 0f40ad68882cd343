import type { Duplex } from 'node:stream';
import { cut } from './cut.ts';

/** Bytes that were read from either side before it came here; they go first. */
export interface EarlyBytes {
  readonly fromA: readonly Buffer[];
  readonly fromB: readonly Buffer[];
}

/**
 * Joins two streams opaquely until both directions have ended (`ended`) or one of them broke (`cut`, and then the
 * other is broken too: a reset must not look like a clean end). Half-close passes through.
 */
export function splice(a: Duplex, b: Duplex, early: EarlyBytes = { fromA: [], fromB: [] }): Promise<'ended' | 'cut'> {
  return new Promise((resolve) => {
    let open = 2;
    let outcome: 'ended' | 'cut' = 'ended';
    const watch = (stream: Duplex, other: Duplex): void => {
      const broken = (): void => {
        if (!other.destroyed) outcome = 'cut';
        cut(other);
      };
      const closed = (): void => {
        if (!stream.readableEnded || !stream.writableFinished) broken();
        open -= 1;
        if (open === 0) resolve(outcome);
      };
      stream.on('error', () => undefined); // 'close' follows and says what matters
      stream.once('aborted', broken); // HTTP/2: comes before the 'end' that Node makes of a reset
      if (stream.closed) process.nextTick(closed);
      else stream.once('close', closed);
    };
    watch(a, b);
    watch(b, a);
    for (const bytes of early.fromA) b.write(bytes);
    for (const bytes of early.fromB) a.write(bytes);
    pump(a, b);
    pump(b, a);
  });
}

function pump(from: Duplex, to: Duplex): void {
  if (from.readableEnded) to.end();
  else from.pipe(to);
}
