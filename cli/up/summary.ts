import type { AgentStatus } from './agent-status.ts';
import { isoTime } from '#cli/time-text.ts';
import type { Plan, WorkloadPlan } from './plan.ts';

/** What `up --json` prints last and `eastwest status --json` asks for. */
export interface Summary {
  /** Requests that `up` sent itself and that have ended, plus those the apps began, counted by their agents. */
  readonly requests: number;
  /** Of those: no answer in time, an answer other than 2xx (own traffic), or an error of ours (agents). */
  readonly failed: number;
  /** TCP and WebSocket streams that an agent or its peer cut, plus own requests whose connection broke. */
  readonly resets: number;
  readonly workloads: readonly WorkloadSummary[];
  /** Calls that an agent refused because no rule allows them. */
  readonly denied: number;
}

export interface WorkloadSummary {
  readonly name: string;
  readonly spiffeId: string;
  readonly ports: {
    readonly inbound: string;
    readonly app: readonly number[];
    /** Where the app reaches whom: `{"prices":"127.0.0.1:7101"}`. */
    readonly upstreams: Readonly<Record<string, string>>;
    readonly admin: string;
  };
  readonly rotations: number;
  /** When its certificate expires, ISO 8601; null before the first one. */
  readonly notAfter: string | null;
}

export interface TrafficCount {
  readonly requests: number;
  readonly failed: number;
  readonly resets: number;
}

type Counters = AgentStatus['counters'];

/** One agent over all its processes: a restarted agent counts from 0 again, the mesh does not. */
export interface AgentTally {
  readonly counters: Counters;
  readonly rotations: number;
  readonly notAfterMs: number | undefined;
  /** Of the process that was seen last. */
  readonly latest: AgentStatus | undefined;
}

export const emptyTally: AgentTally = Object.freeze({
  counters: {
    requests: 0,
    failed: 0,
    denied: 0,
    resets: 0,
    streams: 0,
    inboundRequests: 0,
    inboundDenied: 0,
    inboundFailed: 0,
  },
  rotations: 0,
  notAfterMs: undefined,
  latest: undefined,
});

/** Adds what is new in `status`. What a crashed agent counted after it was last asked is lost. */
export function addStatus(tally: AgentTally, status: AgentStatus, process: 'same-process' | 'new-process'): AgentTally {
  const before = process === 'same-process' ? tally.latest : undefined;
  const grown = (name: keyof Counters): number =>
    tally.counters[name] + status.counters[name] - (before?.counters[name] ?? 0);
  const names = Object.keys(emptyTally.counters) as (keyof Counters)[];
  return {
    counters: Object.fromEntries(names.map((name) => [name, grown(name)])) as Counters,
    rotations: tally.rotations + status.rotations - (before?.rotations ?? 0),
    notAfterMs: status.notAfterMs ?? tally.notAfterMs,
    latest: status,
  };
}

export function summarize(plan: Plan, tallies: ReadonlyMap<string, AgentTally>, traffic: TrafficCount): Summary {
  const all = plan.workloads.map(({ workload }) => tallies.get(workload.name) ?? emptyTally);
  const sum = (of: (tally: AgentTally) => number): number => all.reduce((total, tally) => total + of(tally), 0);
  return {
    requests: traffic.requests + sum(({ counters }) => counters.requests),
    failed: traffic.failed + sum(({ counters }) => counters.failed),
    resets: traffic.resets + sum(({ counters }) => counters.resets),
    workloads: plan.workloads.map((planned) =>
      summarizeWorkload(planned, tallies.get(planned.workload.name) ?? emptyTally),
    ),
    denied: sum(({ counters }) => counters.inboundDenied),
  };
}

function summarizeWorkload({ workload, spiffeId, inbound, admin }: WorkloadPlan, tally: AgentTally): WorkloadSummary {
  const { calls, listens } = workload;
  const upstreams = calls.flatMap((call): [string, string][] => {
    const isOnly = calls.filter(({ to }) => to === call.to).length === 1;
    return call.listen === undefined
      ? []
      : [[isOnly ? call.to : `${call.to}:${call.port}`, `127.0.0.1:${call.listen}`]];
  });
  return {
    name: workload.name,
    spiffeId,
    ports: { inbound, app: listens.map(({ port }) => port), upstreams: Object.fromEntries(upstreams), admin },
    rotations: tally.rotations,
    notAfter: tally.notAfterMs === undefined ? null : isoTime(tally.notAfterMs),
  };
}

/** The exit code of a run that ended as it should. */
export function exitCodeFor({ failed, resets }: Pick<Summary, 'failed' | 'resets'>): 0 | 1 {
  return failed === 0 && resets === 0 ? 0 : 1;
}
