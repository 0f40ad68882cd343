import { parseCommandLine } from '#cli/arguments.ts';
import type { Edge } from '#cli/edge.ts';
import { errorText, exitCodeOf } from '#cli/errors.ts';
import type { Clock } from '#runtime/clock.ts';
import { systemClock } from '#runtime/system-clock.ts';
import type { Ended } from './fresh-folder.ts';

export interface CommandLineEdge {
  readonly cwd: string;
  readonly clock?: Clock;
  readonly stdin?: AsyncIterable<Uint8Array | string>;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs one command line in `cwd`, as `main` does; words are parted by single spaces, unless they come as a list. */
export async function runCommandLine(
  line: string | readonly string[],
  { cwd, clock = systemClock, stdin, env = {} }: CommandLineEdge,
): Promise<Ended> {
  const written = { stdout: '', stderr: '' };
  const output = (stream: 'stdout' | 'stderr') => ({
    write: (text: string) => void (written[stream] += text),
    isTerminal: false,
    columns: () => 80,
  });
  const edge = {
    cwd,
    env,
    clock,
    stdin,
    stop: new AbortController().signal,
    kill: new AbortController().signal,
    stdout: output('stdout'),
    stderr: output('stderr'),
  } as unknown as Edge;
  try {
    const request = parseCommandLine(typeof line === 'string' ? line.split(' ') : line);
    if (request.kind !== 'run') throw new Error(request.kind);
    const { run } = await request.command.load();
    return { code: await run(request.args, edge), ...written };
  } catch (error) {
    return { code: exitCodeOf(error), stdout: written.stdout, stderr: written.stderr + errorText(error) };
  }
}

/** The same, where nothing is read from standard input. */
export function eastwest(line: string | readonly string[], cwd: string, clock: Clock = systemClock): Promise<Ended> {
  return runCommandLine(line, { cwd, clock });
}
