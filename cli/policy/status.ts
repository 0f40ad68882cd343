import type { Run } from '#cli/edge.ts';
import { printable } from '#cli/printable.ts';
import { isoTime, showDuration } from '#cli/time-text.ts';
import type { PolicyLaggard, PolicyStatusResponse } from '#proto/policy-messages.ts';
import { askPolicies } from './ask.ts';
import { columns } from './columns.ts';

const someAreBehind = 3;

/** `eastwest policy status`: how far the agents are. */
export const run: Run = async (args, edge) => {
  const status = await askPolicies(args, edge, (client, options) => client.status(options));
  edge.stdout.write(
    args.flags.has('json') ? `${JSON.stringify(forScripts(status))}\n` : render(status, edge.clock.now()),
  );
  return status.workloads.every(({ behind }) => behind.length === 0) ? 0 : someAreBehind;
};

function forScripts({ workloads, ...rest }: PolicyStatusResponse): object {
  const withTimes = workloads.map(({ behind, ...workload }) => ({
    ...workload,
    behind: behind.map(({ sinceMs, ...laggard }) => ({ ...laggard, since: isoTime(sinceMs) })),
  }));
  return { ...rest, workloads: withTimes };
}

function render({ revision, documents, workloads, openedBy }: PolicyStatusResponse, nowMs: number): string {
  const rows = workloads.map(({ name, agentsConnected, agentsCurrent, behind }) => {
    return [name, String(agentsConnected), String(agentsCurrent), String(behind.length)];
  });
  const laggards = workloads.flatMap(({ name, behind }) => behind.map((each) => laggardLine(name, each, nowMs)));
  return [
    `revision ${revision}, ${documents} ${documents === 1 ? 'document' : 'documents'}\n`,
    ...(openedBy === '' ? [] : [openLine(openedBy)]),
    columns([['WORKLOAD', 'AGENTS', 'CURRENT', 'BEHIND'], ...rows]),
    ...laggards,
  ].join('');
}

function openLine(openedBy: string): string {
  return printable(`open: ${openedBy} (defaultAction: allow) lets everybody call what no ALLOW policy selects`) + '\n';
}

function laggardLine(name: string, { address, revision, sinceMs, problem }: PolicyLaggard, nowMs: number): string {
  const has = revision === 0 ? 'has none' : `has revision ${revision}`;
  const why = problem === '' ? 'has not answered' : `refused: ${printable(problem)}`;
  return `${name} at ${address} ${has}, behind for ${showDuration(nowMs - sinceMs)}, ${why}\n`;
}
