import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { Fault } from '#runtime/fault.ts';
import type { Edge } from '#cli/edge.ts';

export interface ChildCommand {
  readonly argv: readonly string[];
  readonly cwd: string;
  /** The whole environment: nothing is inherited beside it. */
  readonly env: Readonly<Record<string, string>>;
  /** Written to standard input, which is then closed; undefined: an empty input. */
  readonly input: string | undefined;
  readonly onLine: (stream: 'stdout' | 'stderr', line: string) => void;
}

export interface Exit {
  /** Undefined when a signal ended it. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

export interface RunningChild {
  readonly pid: number;
  /** Never rejects. */
  readonly exited: Promise<Exit>;
  /** SIGTERM to the whole process group, SIGKILL to what is left at the deadline or when `kill` aborts. */
  end(deadlineMs: number, kill: AbortSignal): Promise<void>;
}

type ProcessEdge = Pick<Edge, 'signalGroup' | 'clock'>;

export type StartChild = (command: ChildCommand) => Promise<RunningChild>;

/** A longer line is handed on in pieces. */
const maxLineChars = 8192;
const groupPollMs = 25;
/** For output still in the pipe when the process has ended. */
const lastWordsMs = 250;

/**
 * Starts processes as leaders of their own process groups: a terminal's Ctrl-C reaches only us, and what a child
 * started itself (`npm run` → `sh` → `node`) ends with it.
 */
export function createStartChild(edge: ProcessEdge): StartChild {
  return (command) => {
    const [program = '', ...args] = command.argv;
    const { cwd, env } = command;
    const child = spawn(program, args, { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdin.on('error', () => undefined); // it ended without reading: its exit tells
    child.stdin.end(command.input ?? '');
    eachLine(child.stdout, (line) => command.onLine('stdout', line));
    eachLine(child.stderr, (line) => command.onLine('stderr', line));
    const exited = new Promise<Exit>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined }));
    });
    const outputRead = new Promise<void>((resolve) => child.once('close', () => resolve()));
    return new Promise((resolve, reject) => {
      child.once('error', (cause) => reject(new Fault('START_FAILED', `cannot start ${program}`, { cause })));
      child.once('spawn', () => {
        const pid = child.pid!;
        const end = async (deadlineMs: number, kill: AbortSignal): Promise<void> => {
          await endGroup({ pid, exited }, { deadlineMs, kill, clock: edge.clock, signalGroup: edge.signalGroup });
          await Promise.race([outputRead, edge.clock.sleep(lastWordsMs)]);
        };
        resolve({ pid, exited, end });
      });
    });
  };
}

async function endGroup(
  { pid, exited }: Pick<RunningChild, 'pid' | 'exited'>,
  bounds: { deadlineMs: number; kill: AbortSignal } & ProcessEdge,
): Promise<void> {
  const { clock, kill, signalGroup } = bounds;
  const deadline = clock.monotonic() + bounds.deadlineMs;
  if (!kill.aborted) signalGroup(pid, 'SIGTERM');
  while (!kill.aborted && signalGroup(pid, 0) && clock.monotonic() < deadline) await clock.sleep(groupPollMs);
  if (signalGroup(pid, 0)) signalGroup(pid, 'SIGKILL');
  await exited;
}

function eachLine(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    while (rest.length > maxLineChars) {
      onLine(rest.slice(0, maxLineChars));
      rest = rest.slice(maxLineChars);
    }
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
  });
}
