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
  /** What allowed it does not any more. */
  isRevoked(): boolean;
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

/** `onOver`: the far end is joined or let go, and closed. Called once. `isRevoked`: it is not allowed any more. */
export function createFarEnd(
  pipe: Pipe,
  report: OpaqueReport,
  {
    clock,
    onOver,
    isRevoked = never,
  }: { readonly clock: Clock; readonly onOver?: () => void; readonly isRevoked?: () => boolean },
): FarEnd {
  return {
    pipe,
    isRevoked,
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
      const reconsider = (): void => {
        if (isRevoked()) joined.cut();
      };
      reconsider(); // meanwhile the rules may have changed
      return {
        drain: () => undefined,
        destroy: () => joined.cut(),
        reconsider,
      };
    },
    letGo() {
      onOver?.();
      letGo(pipe, clock);
    },
  };
}

function never(): boolean {
  return false;
}
