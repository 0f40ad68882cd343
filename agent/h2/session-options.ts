import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Clock } from '#runtime/clock.ts';
import type { H2SessionHandler, H2Settings } from './types.ts';

export interface H2Times {
  /** From the start to the peer's first SETTINGS. */
  readonly prefaceMs: number;
  /** From our SETTINGS to their acknowledgement. */
  readonly settingsMs: number;
  /** From the first frame of a field block to its last. */
  readonly headMs: number;
  /** Without a stream; it ends within half as much again. `Infinity`: never. */
  readonly idleMs: number;
  /** A wire that takes nothing of what waits; noticed within twice as much. */
  readonly stallMs: number;
}

export interface H2SessionOptions {
  readonly role: 'client' | 'server';
  /** Reads it from now on. Bytes that were read from it before are to be given to its new reader's `onBytes`. */
  readonly pipe: Pipe;
  readonly settings: H2Settings;
  readonly times: H2Times;
  readonly clock: Clock;
  readonly handler: H2SessionHandler;
}

export const defaultH2Times: H2Times = {
  prefaceMs: 10_000,
  settingsMs: 10_000,
  headMs: 10_000,
  idleMs: 300_000,
  stallMs: 60_000,
};
