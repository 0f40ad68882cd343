import type { Clock, Random } from '#runtime/clock.ts';

/** Everything a command may touch of the process it runs in. `main.ts` makes the real one. */
export interface Edge {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly pid: number;
  /** Of this package, e.g. `0.1.0`. */
  readonly version: string;
  readonly stdin: AsyncIterable<Uint8Array | string>;
  /** How to start another process of ourselves: `[execPath, ...flags, main, ...arguments]`. */
  readonly self: { readonly execPath: string; readonly flags: readonly string[]; readonly main: string };
  readonly stdout: Output;
  readonly stderr: Output;
  /** First Ctrl-C, SIGTERM or SIGHUP: take no new work, end cleanly. */
  readonly stop: AbortSignal;
  /** The second one: end now. */
  readonly kill: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  /** How to start another program of this package, e.g. `agent/main`: `[execPath, ...flags, file]`. */
  argvOf(program: string, flags: readonly string[]): readonly string[];
  /** Replaces this process by another program of ours, e.g. `agent/main`; only its failure returns, as a `Fault`. */
  become(program: string, start: ProgramStart): never;
  /** Signals every process of the group `pid` leads; `0` only asks. False when none is left. */
  signalGroup(pid: number, signal: GroupSignal): boolean;
  /** True while a process with this number exists, ours or not. */
  isAlive(pid: number): boolean;
}

export interface ProgramStart {
  /** Of Node. */
  readonly flags: readonly string[];
  /** On top of the environment. */
  readonly variables: Readonly<Record<string, string>>;
}

export type GroupSignal = 'SIGTERM' | 'SIGKILL' | 0;

export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  columns(): number;
}

/** A subcommand's whole life: returns the exit code, throws `Fault` or `UsageError`. */
export type Run = (args: Arguments, edge: Edge) => Promise<number>;

/** What was written on the command line, already checked against the command's options. */
export interface Arguments {
  readonly positionals: readonly string[];
  /** Options that take a value, by long name. */
  readonly values: Readonly<Record<string, string | undefined>>;
  /** Options that may be given several times, by long name; in the order of the command line. */
  readonly lists: Readonly<Record<string, readonly string[] | undefined>>;
  /** Options that take none. */
  readonly flags: ReadonlySet<string>;
}

/** The command line itself is wrong: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}
