import { readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault } from '#runtime/fault.ts';
import { listenForStop } from '#runtime/stop-signals.ts';
import { systemClock, systemRandom } from '#runtime/system-clock.ts';
import { parseCommandLine } from './arguments.ts';
import type { Edge, Output, ProgramStart } from './edge.ts';
import { errorText, exitCodeOf } from './errors.ts';
import { commandHelp, programHelp } from './help.ts';

/** Process edge of the command line: words and signals in, exit code out. */
async function main(words: readonly string[], edge: Edge): Promise<number> {
  const request = parseCommandLine(words);
  switch (request.kind) {
    case 'help':
      edge.stdout.write(request.commands.length === 0 ? programHelp() : request.commands.map(commandHelp).join('\n'));
      return 0;
    case 'version':
      edge.stdout.write(`eastwest ${edge.version} (node ${process.version})\n`);
      return 0;
    case 'run': {
      const { run } = await request.command.load();
      return run(request.args, edge);
    }
  }
}

function packageVersion(): string {
  const main = fileURLToPath(import.meta.url);
  const root = main.endsWith('.ts') ? '../package.json' : '../../package.json';
  const { version } = JSON.parse(readFileSync(new URL(root, import.meta.url), 'utf8')) as { version: string };
  return version;
}

function createEdge(): Edge {
  const { stop, kill } = listenForStop(process, systemClock);
  const readerGone = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'EPIPE' || error.code === 'EIO') stop.abort(error);
    else throw error;
  };
  process.stdout.on('error', readerGone);
  process.stderr.on('error', readerGone);
  return {
    env: process.env,
    cwd: process.cwd(),
    pid: process.pid,
    version: packageVersion(),
    get stdin() {
      return process.stdin; // made when asked for: it keeps a process alive
    },
    self: { execPath: process.execPath, flags: process.execArgv, main: fileURLToPath(import.meta.url) },
    stdout: outputOf(process.stdout),
    stderr: outputOf(process.stderr),
    stop: stop.signal,
    kill: kill.signal,
    clock: systemClock,
    random: systemRandom,
    argvOf,
    become,
    signalGroup: (pid, signal) => signalled(-pid, signal),
    isAlive: (pid) => signalled(pid, 0),
  };
}

/** How to start the program `room/main` of this package. */
function argvOf(program: string, flags: readonly string[]): string[] {
  const main = fileURLToPath(import.meta.url);
  const path = join(dirname(dirname(main)), program + extname(main));
  return [process.execPath, ...process.execArgv, ...flags, path];
}

/** The program `room/main` of this package takes over this process: same pid, same standard streams. */
function become(program: string, { flags, variables }: ProgramStart): never {
  const env = { ...process.env, ...variables };
  delete env['EASTWEST_LIFELINE_FD']; // Node closes inherited descriptors when it is replaced: the number means nothing now
  process.execve?.(process.execPath, argvOf(program, flags), env);
  throw new Fault('SYSTEM_UNSUPPORTED', 'this system cannot replace a process', { hint: 'run it on Linux or macOS' });
}

function outputOf(stream: NodeJS.WriteStream): Output {
  return {
    write: (text) => void stream.write(text),
    isTerminal: stream.isTTY === true,
    columns: () => stream.columns ?? 80,
  };
}

/** False when nobody was there to get the signal; somebody else's process still counts as there. */
function signalled(pid: number, signal: 'SIGTERM' | 'SIGKILL' | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

try {
  process.exitCode = await main(process.argv.slice(2), createEdge());
} catch (error) {
  process.stderr.write(errorText(error));
  process.exitCode = exitCodeOf(error);
}
