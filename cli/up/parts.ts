import { dirname } from 'node:path';
import { agentFlags, handOverVariable, warmUp } from '#agent/config-hand-over.ts';
import { awaitJoinToken } from '#cli/admin-socket.ts';
import { messageOf } from '#runtime/error-lines.ts';
import { appEnv, ownEnv } from './environments.ts';
import type { ChildCommand } from './child.ts';
import type { UpContext } from './context.ts';
import type { Part } from './events.ts';
import { errorLine, isForPeople, lastWords, troubleIn } from './last-words.ts';
import { agentDrainMs, type WorkloadPlan } from './plan.ts';
import { chooseProgram, programFinder } from './programs.ts';
import { supervise } from './supervisor.ts';

const joinTokenTtlMs = 60_000;
/** A control plane that is being restarted is no crash of the agent that waits for its token. */
const controlPlanePatienceMs = 10_000;
const appStopMs = 5_000;
const controlPlaneStopMs = 5_000;
/** An agent ends by itself at its own deadline; this is for one that does not. */
const agentStopMs = agentDrainMs + 2_000;

/** A supervised process that one can ask for its last words. */
export interface PartProcess {
  readonly starts: number;
  readonly crashes: number;
  readonly isRunning: boolean;
  /** Its last lines that are for people: log events are left out. */
  readonly lastLines: readonly string[];
  /** Its last line or log event that tells of an error; null when there is none. */
  readonly lastTrouble: string | null;
  readonly logFile: string;
  stop(): Promise<void>;
}

const keptLines = 12;
const maxLineChars = 300;

/** The control plane in a process of its own. `onReady` gets the address each time it is up. */
export function startControlPlane(context: UpContext, onReady: (address: string) => void): PartProcess {
  const { controlPlane, mesh } = context.plan;
  const args = [
    'control-plane',
    ...['--data-dir', controlPlane.dataDir],
    ...['--trust-domain', mesh.trustDomain],
    ...['--listen', controlPlane.address],
    ...['--svid-life', `${mesh.svidLifeMs}ms`],
  ];
  return superviseProgram(
    context,
    { part: 'control-plane', workload: null, stopDeadlineMs: controlPlaneStopMs },
    {
      command: () => Promise.resolve({ argv: ownArgv(context, args), input: undefined }),
      onLine: (line) => {
        if (isEvent(line, 'control-plane.ready')) onReady(controlPlane.address);
      },
    },
  );
}

/**
 * Loads the agent's program once before the agents start together: what was compiled is kept, and none of them has to
 * compile it, which would take time and leave each 30 MB larger. A failure shows when the agents start.
 */
export async function warmUpAgents({ edge, startChild }: UpContext): Promise<void> {
  const child = await startChild({
    argv: edge.argvOf('agent/main', agentFlags),
    cwd: edge.cwd,
    env: { ...ownEnv(edge.env), [handOverVariable]: warmUp },
    input: undefined,
    onLine: () => undefined,
  });
  await child.exited;
}

/** A workload's agent. Every start gets a join token of its own, through standard input. */
export function startAgent(context: UpContext, planned: WorkloadPlan): PartProcess {
  const { edge, state, plan } = context;
  const name = planned.workload.name;
  const config = state.writeAgentConfig(name, planned.agentConfig);
  return superviseProgram(
    context,
    { part: 'agent', workload: name, stopDeadlineMs: agentStopMs },
    {
      async command() {
        const request = { workload: name, namespace: 'default', ttlMs: joinTokenTtlMs };
        const { token } = await awaitJoinToken(plan.controlPlane.dataDir, request, {
          clock: edge.clock,
          signal: edge.kill,
          patienceMs: controlPlanePatienceMs,
        });
        return { argv: ownArgv(context, ['agent', '--config', config]), input: `${token}\n` };
      },
      onLine: () => undefined,
    },
  );
}

/** The app itself, unchanged, in the folder of the mesh file. */
export function startApp(context: UpContext, { workload, appEnv: extra }: WorkloadPlan): PartProcess {
  const { edge, state, meshDir, report } = context;
  const env = appEnv(edge.env, extra, state.nodeDir);
  const { argv, missing } = chooseProgram(workload, programFinder(env['PATH'] ?? '', meshDir));
  if (missing !== undefined) {
    report({ event: 'app.twin-started', workload: workload.name, missing, instead: argv.join(' ') });
  }
  return superviseProgram(
    context,
    { part: 'app', workload: workload.name, stopDeadlineMs: appStopMs },
    {
      command: () => Promise.resolve({ argv, input: undefined, cwd: meshDir, env }),
      onLine: (line) => report({ event: 'app.output', workload: workload.name, line }),
    },
  );
}

interface Identity {
  readonly part: Part;
  readonly workload: string | null;
  readonly stopDeadlineMs: number;
}

interface Program {
  /** `cwd` and `env` are those of our own programs unless said otherwise. */
  command(): Promise<Pick<ChildCommand, 'argv' | 'input'> & Partial<Pick<ChildCommand, 'cwd' | 'env'>>>;
  readonly onLine: (line: string) => void;
}

/** Adds what all three kinds have in common: log file, keeper, and the events of crash and restart. */
function superviseProgram(context: UpContext, identity: Identity, program: Program): PartProcess {
  const { edge, keeper, report } = context;
  const { part, workload } = identity;
  const log = context.logFile(workload === null ? part : `${workload}.${part}`);
  let starts = 0;
  let lastLines: readonly string[] = [];
  let lastTrouble: string | null = null;
  const process = supervise(
    {
      stopDeadlineMs: identity.stopDeadlineMs,
      async command() {
        const TMPDIR = dirname(context.state.socketDir); // one that can be used, whatever ours is
        const own = { cwd: edge.cwd, env: { ...ownEnv(edge.env), TMPDIR } };
        const onLine = (_: string, line: string): void => {
          log.write(line);
          if (isForPeople(line)) lastLines = [...lastLines, line.slice(0, maxLineChars)].slice(-keptLines);
          lastTrouble = troubleIn(line)?.slice(0, maxLineChars) ?? lastTrouble;
          program.onLine(line);
        };
        return { ...own, ...(await program.command()), onLine };
      },
      onStart(pid) {
        keeper.watch(pid);
        starts += 1;
        lastLines = [];
        if (starts > 1) report({ event: 'part.restarted', part, workload, starts });
      },
      onEnd: (pid) => keeper.forget(pid),
      onCrash({ exit, error, restartInMs }) {
        const why = error === undefined ? null : messageOf(error);
        report({
          event: 'part.crashed',
          part,
          workload,
          exit: exit ?? null,
          error: why,
          lastLine: lastWords(lastLines),
          restartInMs,
          logFile: log.path,
        });
      },
    },
    { clock: edge.clock, random: edge.random, startChild: context.startChild, kill: edge.kill },
  );
  return {
    get starts() {
      return process.starts;
    },
    get crashes() {
      return process.crashes;
    },
    get isRunning() {
      return process.isRunning;
    },
    get lastLines() {
      return lastLines;
    },
    get lastTrouble() {
      return lastTrouble ?? errorLine(lastLines) ?? null;
    },
    logFile: log.path,
    stop: () => process.stop(),
  };
}

function ownArgv({ edge }: UpContext, args: readonly string[]): string[] {
  const { execPath, flags, main } = edge.self;
  return [execPath, ...flags, main, ...args];
}

function isEvent(line: string, event: string): boolean {
  if (!line.includes(event)) return false;
  try {
    return (JSON.parse(line) as { event?: unknown }).event === event;
  } catch {
    return false;
  }
}
