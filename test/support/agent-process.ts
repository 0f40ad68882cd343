import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { AgentStatus } from '#agent/admin/status.ts';
import type { Address } from '#agent/config-types.ts';
import type { AgentEvent } from '#agent/events.ts';
import { checkout } from './fresh-folder.ts';

/** One line of an agent's log. */
export type LoggedEvent = AgentEvent & { readonly level: string; readonly time: string; readonly workload: string };

type Named<Name extends AgentEvent['event']> = Extract<LoggedEvent, { readonly event: Name }>;

export interface AdminAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** `eastwest agent --config agent.yaml` as a process of its own, in a 0700 folder that goes with it. */
export interface AgentProcess extends AsyncDisposable {
  readonly pid: number;
  /** Its folder: `agent.yaml` and `agent.sock`. */
  readonly folder: string;
  readonly events: readonly LoggedEvent[];
  /** What it wrote besides events. */
  readonly notes: readonly string[];
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** The first event of that name which fits `where`, past ones included; rejects after `deadlineMs` or when the agent ends. */
  event<Name extends AgentEvent['event']>(
    name: Name,
    where?: (event: Named<Name>) => boolean,
    deadlineMs?: number,
  ): Promise<Named<Name>>;
  /** Where a listener really is; `purpose` as its `listener.open` says: `inbound`, `upstream prices:7002`, `http-proxy`, `admin`. */
  address(purpose: string): Promise<Address>;
  /** Asks its admin socket. */
  ask(method: 'GET' | 'POST', path: string): Promise<AdminAnswer>;
  status(): Promise<AgentStatus>;
  /** SIGTERM, and until it has ended. */
  stop(): Promise<number | NodeJS.Signals>;
  /** SIGKILL, and until it has ended. */
  kill(): Promise<void>;
}

const defaultDeadlineMs = 10_000;
const anything = (): true => true;

/**
 * Starts an agent with `config`, which is written as its `agent.yaml`; `admin.socket` is added where it
 * has none. Does not wait: ask for
 * the event `agent.ready`. Ports of 0 are chosen by the system; `address` tells them.
 */
export function startAgent(config: object, env: Readonly<Record<string, string>> = {}): AgentProcess {
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-agent-'));
  const path = join(folder, 'agent.yaml');
  const admin = { socket: join(folder, 'agent.sock'), ...('admin' in config ? (config.admin as object) : {}) };
  writeFileSync(path, JSON.stringify({ ...config, admin })); // JSON is YAML
  const child = spawn(process.execPath, [join(checkout, 'bin', 'eastwest.js'), 'agent', '--config', path], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...ownEnvironment(), ...env },
  });
  return { folder, ...watchAgent(child), ...askAgent(admin.socket), ...endAgent(child, folder) };
}

/** Starts an agent and waits until it is ready. */
export async function startReadyAgent(
  config: object,
  env: Readonly<Record<string, string>> = {},
): Promise<AgentProcess> {
  const agent = startAgent(config, env);
  try {
    await agent.event('agent.ready');
    return agent;
  } catch (error) {
    await agent[Symbol.asyncDispose]();
    throw error;
  }
}

/** A port that was free a moment ago, for what must be known before a process starts. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function watchAgent(child: ChildProcess): Pick<AgentProcess, 'pid' | 'events' | 'notes' | 'event' | 'address'> {
  const events: LoggedEvent[] = [];
  const notes: string[] = [];
  const watchers = new Set<(event: LoggedEvent | 'ended') => void>();
  const tell = (what: LoggedEvent | 'ended'): void => {
    for (const watcher of [...watchers]) watcher(what);
  };
  const lines = createInterface({ input: child.stderr! });
  lines.on('line', (line) => {
    const event = readEvent(line);
    if (!event) return void notes.push(line);
    events.push(event);
    tell(event);
  });
  lines.once('close', () => tell('ended'));
  const event: AgentProcess['event'] = (name, where = anything, deadlineMs = defaultDeadlineMs) => {
    type Wanted = Named<typeof name>;
    const fits = (found: LoggedEvent): found is Wanted => found.event === name && where(found as Wanted);
    const past = events.find(fits);
    if (past) return Promise.resolve(past);
    return new Promise<Wanted>((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        watchers.delete(watcher);
      };
      const fail = (why: string): void => {
        settle();
        const said = [...events.slice(-10).map((seen) => JSON.stringify(seen)), ...notes].join('\n');
        reject(new Error(`no ${name}: ${why}. The agent said:\n${said}`));
      };
      const watcher = (found: LoggedEvent | 'ended'): void => {
        if (found === 'ended') return fail('the agent has ended');
        if (!fits(found)) return;
        settle();
        resolve(found);
      };
      const timer = setTimeout(() => fail(`waited ${deadlineMs} ms`), deadlineMs);
      watchers.add(watcher);
    });
  };
  const address = async (purpose: string): Promise<Address> => {
    const opened = await event('listener.open', (found) => found.purpose === purpose);
    const colon = opened.address.lastIndexOf(':');
    return {
      host: opened.address.slice(0, colon).replace(/[[\]]/g, ''),
      port: Number(opened.address.slice(colon + 1)),
    };
  };
  return { pid: child.pid!, events, notes, event, address };
}

function readEvent(line: string): LoggedEvent | undefined {
  if (!line.startsWith('{')) return undefined;
  return JSON.parse(line) as LoggedEvent;
}

function askAgent(socketPath: string): Pick<AgentProcess, 'ask' | 'status'> {
  const ask: AgentProcess['ask'] = (method, path) =>
    new Promise((resolve, reject) => {
      const sent = request({ socketPath, method, path, timeout: defaultDeadlineMs }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (piece: string) => (body += piece));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
        response.on('error', reject);
      });
      sent.on('error', reject).on('timeout', () => sent.destroy(new Error('the admin socket does not answer')));
      sent.end();
    });
  return { ask, status: async () => JSON.parse((await ask('GET', '/status')).body) as AgentStatus };
}

function endAgent(
  child: ChildProcess,
  folder: string,
): Pick<AgentProcess, 'ended' | 'stop' | 'kill'> & AsyncDisposable {
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? code ?? -1));
  });
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<number | NodeJS.Signals> => {
    child.kill(signal);
    return ended;
  };
  return {
    ended,
    stop: () => end('SIGTERM'),
    kill: async () => void (await end('SIGKILL')),
    async [Symbol.asyncDispose]() {
      await end('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Our environment without what the test runner put into it. */
export function ownEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(NODE_OPTIONS|NODE_ENV|VITEST|TEST$)/.test(name));
  return Object.fromEntries(kept);
}
