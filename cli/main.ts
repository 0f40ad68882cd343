import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { systemClock, systemRandom } from '#runtime/system-clock.ts';
import { parseCommandLine } from './arguments.ts';
import type { Edge, Output } from './edge.ts';
import { errorLines, exitCodeOf } from './errors.ts';
import { commandHelp, programHelp } from './help.ts';

/** One Ctrl-C can arrive twice, from the terminal and passed on by npm or the launcher: within this time it is one. */
const sameSignalMs = 500;

/** Process edge of the command line: words and signals in, exit code out. */
async function main(words: readonly string[], edge: Edge): Promise<number> {
  const request = parseCommandLine(words);
  switch (request.kind) {
    case 'help':
      edge.stdout.write(request.command === undefined ? programHelp() : commandHelp(request.command));
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
  const stop = new AbortController();
  const kill = new AbortController();
  let lastSignalMs = -Infinity;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      const echo = systemClock.monotonic() - lastSignalMs < sameSignalMs;
      if (echo) return;
      lastSignalMs = systemClock.monotonic();
      if (kill.signal.aborted) process.exit(1);
      (stop.signal.aborted ? kill : stop).abort(new Error(`stopped by ${signal}`));
    });
  }
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
    signalGroup: (pid, signal) => signalled(-pid, signal),
    isAlive: (pid) => signalled(pid, 0),
  };
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
  process.stderr.write(errorLines(error));
  process.exitCode = exitCodeOf(error);
}
