import { resolve } from 'node:path';
import { Fault } from '#runtime/fault.ts';
import type { Arguments, Edge, Run } from './edge.ts';
import { defaultStateDir, readRunFile } from './run-file.ts';
import { parseIsoTime, showDuration } from './time-text.ts';
import { getJson } from './unix-http.ts';
import { totals } from './up/describe.ts';
import type { Summary } from './up/summary.ts';

const deadlineMs = 5_000;

/** `eastwest status`: asks a running `up` over its Unix socket. */
export const run: Run = async (args, edge) => {
  const summary = await readSummary(args, edge);
  edge.stdout.write(args.flags.has('json') ? `${JSON.stringify(summary)}\n` : describe(summary, edge.clock.now()));
  return 0;
};

/** Also for commands that need to know where a workload's agent is. Throws `Fault` NOT_UP. */
export async function readSummary({ values }: Arguments, edge: Edge): Promise<Summary> {
  const stateDir = resolve(edge.cwd, values['state-dir'] ?? defaultStateDir);
  const run = readRunFile(stateDir);
  const hint = 'start one with `eastwest up`, or name its folder: --state-dir DIR';
  if (run === undefined) throw new Fault('NOT_UP', `no mesh runs from ${stateDir}`, { hint });
  try {
    return (await getJson(run.socket, '/status', { deadlineMs, clock: edge.clock })) as Summary;
  } catch (cause) {
    throw new Fault('NOT_UP', `the mesh of ${stateDir} (process ${run.pid}) does not answer`, { cause, hint });
  }
}

function describe(summary: Summary, nowMs: number): string {
  const lines = summary.workloads.map(({ name, spiffeId, rotations, notAfter, ports }) => {
    const expires =
      notAfter === null ? 'no certificate yet' : `expires in ${showDuration(parseIsoTime(notAfter) - nowMs)}`;
    return `${name}  ${spiffeId}\n  ${expires}, rotated ${rotations} times; mTLS on ${ports.inbound}, admin on ${ports.admin}`;
  });
  return `${[...lines, totals(summary)].join('\n')}\n`;
}
