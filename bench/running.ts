import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '#runtime/system-clock.ts';
import { findProgram } from './programs.ts';
import type { Launch, ReadySign } from './subjects/subject.ts';

export interface Running extends AsyncDisposable {
  readonly pid: number;
  /** From its start to its sign of readiness. */
  readonly startMs: number;
  /** What it wrote to standard output and error so far. */
  log(): Promise<string>;
}

export interface StartOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

const readyDeadlineMs = 20_000;
const lookEveryMs = 2;
const stopGraceMs = 3_000;

/**
 * Starts a process and waits until it is ready. Its output goes to a file: a pipe would have to be emptied while others
 * are measured. Throws, with the end of that output, when it ends or takes too long.
 */
export async function startProcess(program: string, launch: Launch, options: StartOptions): Promise<Running> {
  options.signal.throwIfAborted();
  const logPath = join(launch.dir, 'output.log');
  await mkdir(launch.dir, { recursive: true });
  for (const [name, text] of Object.entries(launch.files))
    await writeFile(join(launch.dir, name), text, { mode: 0o600 });
  const output = await open(logPath, 'w', 0o600);
  const startedMs = systemClock.monotonic();
  const child = spawn(findProgram(program) ?? program, [...launch.words], {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', output.fd, output.fd],
  });
  const settled = new AbortController();
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, by) => resolve(`ended with ${code ?? by}`));
    child.once('error', (error) => resolve(`did not start: ${error.message}`));
  });
  await output.close();
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const tooLate = systemClock.timer(stopGraceMs, () => child.kill('SIGKILL'));
    await ended;
    tooLate.cancel();
  };
  try {
    const looking = untilReady(launch.ready, logPath, AbortSignal.any([options.signal, settled.signal]));
    const failure = await Promise.race([ended, looking]);
    const startMs = systemClock.monotonic() - startedMs;
    if (failure === undefined) {
      return { pid: child.pid ?? 0, startMs, log: () => readFile(logPath, 'utf8'), [Symbol.asyncDispose]: stop };
    }
    throw new Error(
      `${program} ${launch.words.join(' ')} ${failure}:\n${(await readFile(logPath, 'utf8')).slice(-2000)}`,
    );
  } catch (error) {
    await stop();
    throw error;
  } finally {
    settled.abort();
  }
}

/** Resolves to nothing, or to what went wrong. */
async function untilReady(ready: ReadySign, logPath: string, signal: AbortSignal): Promise<string | undefined> {
  const deadlineMs = systemClock.monotonic() + readyDeadlineMs;
  while (!(await shows(ready, logPath))) {
    if (systemClock.monotonic() > deadlineMs) return `was not ready after ${readyDeadlineMs} ms`;
    await systemClock.sleep(lookEveryMs, signal);
  }
  return undefined;
}

async function shows(ready: ReadySign, logPath: string): Promise<boolean> {
  switch (ready.kind) {
    case 'logged':
      return (await readFile(logPath, 'utf8')).includes(ready.text);
    case 'port-open':
      return isOpen(ready.port);
  }
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

const given = new Set<number>();

/** A port that nobody uses at this moment, and that was not given away before. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  if (given.has(address.port)) return freePort();
  given.add(address.port);
  return address.port;
}
