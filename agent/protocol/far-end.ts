import type { HttpConnection, StreamEnd } from '#agent/http/service.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { splice } from '#agent/pipe/splice.ts';
import type { Clock } from '#runtime/clock.ts';
import { letGo } from './let-go.ts';

/** The far end of an opaque stream, open and unread. Either `join` or `letGo` is called, once. */
export interface FarEnd {
  readonly pipe: Pipe;
  /** Joins it to the caller's pipe, and counts the stream until it ends. */
  join(caller: Pipe): HttpConnection;
  /** The caller has gone, or speaks HTTP after all. */
  letGo(): void;
}

/**
 * Opens the far end and calls back once, at once or later; undefined: it cannot be had, which has been counted and
 * logged. The function it gives stops the attempt, and then nothing is called.
 */
export type OpenOpaque = (onOpened: (farEnd: FarEnd | undefined) => void) => () => void;

/** Who keeps the books of opaque streams. */
export interface OpaqueReport {
  opened(): void;
  upgradeEnded(end: StreamEnd): void;
}

/** `onOver`: the far end is joined or let go, and closed. Called once. */
export function createFarEnd(
  pipe: Pipe,
  report: OpaqueReport,
  { clock, onOver }: { readonly clock: Clock; readonly onOver?: () => void },
): FarEnd {
  return {
    pipe,
    join(caller) {
      report.opened();
      const startedMs = clock.monotonic();
      const joined = splice(caller, pipe, {
        onDone: ({ outcome, bytesFromA, bytesFromB }) => {
          onOver?.();
          report.upgradeEnded({
            ...{ outcome, startedMs, request: undefined },
            ...{ requestBytes: bytesFromA, responseBytes: bytesFromB },
          });
        },
      });
      return { drain: () => undefined, destroy: () => joined.cut() };
    },
    letGo() {
      onOver?.();
      letGo(pipe, clock);
    },
  };
}
