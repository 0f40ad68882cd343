import { resolve } from 'node:path';
import { Fault } from '#runtime/fault.ts';
import type { Arguments, Edge, Run } from './edge.ts';
import { defaultStateDir, readRunFile } from './run-file.ts';
import { getJson } from './unix-http.ts';
import type { View } from './up/events.ts';
import type { Summary } from './up/summary.ts';
import { renderTable } from './up/table.ts';

const deadlineMs = 5_000;

/** `eastwest status`: asks a running `up` over its Unix socket. */
export const run: Run = async (args, edge) => {
  if (args.flags.has('json')) {
    edge.stdout.write(`${JSON.stringify(await readSummary(args, edge))}\n`);
    return 0;
  }
  const view = (await ask('/view', args, edge)) as View;
  const width = edge.stdout.isTerminal ? edge.stdout.columns() : Infinity;
  edge.stdout.write(`${renderTable(view, width).slice(1).join('\n')}\n`); // without the empty line before it
  return 0;
};

/** Also for commands that need to know where a workload's agent is. Throws `Fault` NOT_UP. */
export async function readSummary(args: Arguments, edge: Edge): Promise<Summary> {
  return (await ask('/status', args, edge)) as Summary;
}

/** Admin sockets of the agents that a running `up` has, by workload. Throws `Fault` NOT_UP. */
export async function readAgentSockets(args: Arguments, edge: Edge): Promise<Readonly<Record<string, string>>> {
  return (await ask('/agents', args, edge)) as Readonly<Record<string, string>>;
}

async function ask(path: '/status' | '/view' | '/agents', { values }: Arguments, edge: Edge): Promise<unknown> {
  const stateDir = resolve(edge.cwd, values['state-dir'] ?? defaultStateDir);
  const run = readRunFile(stateDir);
  const hint = 'start one with `eastwest up`, or name its folder: --state-dir DIR';
  if (run === undefined) throw new Fault('NOT_UP', `no mesh runs from ${stateDir}`, { hint });
  try {
    return await getJson(run.socket, path, { deadlineMs, clock: edge.clock });
  } catch (cause) {
    throw new Fault('NOT_UP', `the mesh of ${stateDir} (process ${run.pid}) does not answer`, { cause, hint });
  }
}
