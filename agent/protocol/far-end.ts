import type { HttpConnection, StreamEnd } from '#agent/http/service.ts';
import { deafReader } from '#agent/pipe/deaf-reader.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { splice } from '#agent/pipe/splice.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Result } from '#runtime/result.ts';
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

/** The far end cannot be had. Nobody has heard of that yet: perhaps nobody wanted it. */
export interface NotOpened {
  /** Counts and logs it; called once at most. */
  tell(): void;
}

/**
 * Opens the far end and calls back once, at once or later. The function it gives stops the attempt, and then nothing is
 * called.
 */
export type OpenOpaque = (onOpened: (opened: Result<FarEnd, NotOpened>) => void) => () => void;

/** Who keeps the books of opaque streams. */
export interface OpaqueReport {
  opened(): void;
  upgradeEnded(end: StreamEnd): void;
}

export interface FarEndOptions {
  readonly clock: Clock;
  /** The far end is joined or let go, and closed. Called once. */
  readonly onOver?: () => void;
  /** It is not allowed any more, and how that is told of a stream that runs. */
  readonly revocation?: () => NotOpened | undefined;
  /** `cut`: the other end is an agent, which must not take an end for a stream that ended. */
  readonly letGoBy?: 'end' | 'cut';
}

export function createFarEnd(
  pipe: Pipe,
  report: OpaqueReport,
  { clock, onOver, revocation = never, letGoBy = 'end' }: FarEndOptions,
): FarEnd {
  return {
    pipe,
    isRevoked: () => revocation() !== undefined,
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
        const revoked = revocation();
        if (revoked === undefined) return;
        revoked.tell();
        joined.cut();
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
      if (letGoBy === 'end') return letGo(pipe, clock);
      pipe.reader = deafReader;
      return pipe.cut();
    },
  };
}

function never(): undefined {
  return undefined;
}
