import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { runProgram } from '#support/programs.ts';
import type { InteropCase } from './interop-cases.ts';
import type { StatusDetails } from './status-details.ts';
import type { InteropServer } from './interop-server.ts';

const folder = join(import.meta.dirname, '..', 'foreign', 'grpc');

/** Whether `python3` on PATH cannot import gRPC. Says so in one line, as `lacks` does. */
export function lacksPythonGrpc(what: string): boolean {
  const { status } = spawnSync('python3', ['-c', 'import grpc, grpc_tools']);
  if (status !== 0) console.warn(`skipped: ${what} (needs python3 with grpcio and grpcio-tools)`);
  return status !== 0;
}

export async function startPythonServer(): Promise<InteropServer> {
  const child = spawn('python3', [join(folder, 'interop_server.py')], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const cancelled: string[] = [];
  const listening = Promise.withResolvers<number>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said = JSON.parse(line) as { readonly port?: number; readonly cancelled?: string };
    if (said.port !== undefined) listening.resolve(said.port);
    if (said.cancelled !== undefined) cancelled.push(said.cancelled);
  });
  return {
    port: await listening.promise,
    cancelled,
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Runs the cases with grpcio; what went wrong in each, null for nothing. */
export async function runPythonCases(
  port: number,
  cases: readonly InteropCase[],
): Promise<Readonly<Record<string, string | null>>> {
  const ran = await runProgram('python3', [join(folder, 'interop_client.py'), `${port}`, ...cases], {
    deadlineMs: 50_000,
  });
  const lines = ran.stdout.split('\n').filter((line) => line !== '');
  const told = lines.map((line) => JSON.parse(line) as { readonly case: string; readonly error: string | null });
  return Object.fromEntries(told.map(({ case: name, error }) => [name, error]));
}

export interface ToldRefusal {
  readonly code: number;
  readonly message: string;
  readonly decision: string | null;
  /** Of the status. */
  readonly details: StatusDetails | null;
}

/** What grpcio is told of a call that fails. */
export async function askAsPython(port: number): Promise<ToldRefusal> {
  const ran = await runProgram('python3', [join(folder, 'interop_client.py'), 'refused', `${port}`], {
    deadlineMs: 30_000,
  });
  return JSON.parse(ran.stdout) as ToldRefusal;
}
