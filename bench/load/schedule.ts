/** What the thread that starts requests and the one that reads answers share. */
export interface Schedule {
  /** Per connection: 1 between a request's start and its answer's end. */
  readonly busy: Int32Array<SharedArrayBuffer>;
  /** Per connection: when the request should have started, on the clock of `nowMs`. */
  readonly dueMs: Float64Array<SharedArrayBuffer>;
  readonly control: Int32Array<SharedArrayBuffer>;
}

/** Places in `control`. `phase`: 0 before the start, 1 running, 2 at the end; `waiting`: 1 while no connection is free. */
export const control = { phase: 0, waiting: 1, never: 2 } as const;

export function createSchedule(connections: number): Schedule {
  return {
    busy: new Int32Array(new SharedArrayBuffer(connections * 4)),
    dueMs: new Float64Array(new SharedArrayBuffer(connections * 8)),
    control: new Int32Array(new SharedArrayBuffer(3 * 4)),
  };
}

/** The same clock in all threads, unlike performance.now(). */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
