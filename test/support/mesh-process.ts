import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(import.meta.dirname, '..', '..');

export interface MeshSummary {
  readonly requests: number;
  readonly failed: number;
  readonly resets: number;
  readonly workloads: readonly {
    readonly name: string;
    readonly spiffeId: string;
    readonly ports: Readonly<Record<string, unknown>>;
    readonly rotations: number;
    readonly notAfter: string;
  }[];
}

/** A mesh started by `eastwest up --json` as a user would, in a folder of its own. */
export interface MeshProcess extends AsyncDisposable {
  readonly folder: string;
  readonly stateDir: string;
  /** Every JSON line so far. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  readonly pid: number;
  /** All that came on its standard output and standard error so far. */
  output(): string;
  /** Resolves with the first line, past or future, for which `matches` holds. */
  until(
    matches: (line: Readonly<Record<string, unknown>>) => boolean,
    deadlineMs: number,
  ): Promise<Readonly<Record<string, unknown>>>;
  /** Runs another `eastwest` command in the mesh's folder. */
  eastwest(...words: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
  /** Exit code and the summary on the last line. */
  readonly ended: Promise<MeshEnd>;
  /** Ctrl-C, and until it has ended. */
  stop(): Promise<MeshEnd>;
}

export interface MeshEnd {
  readonly code: number;
  readonly summary: MeshSummary;
}

export interface MeshStart {
  /** Beside `mesh.yaml`: path → text. */
  readonly files?: Readonly<Record<string, string>>;
  /** After `up mesh.yaml --json`. */
  readonly words?: readonly string[];
  /** On top of our own environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Writes `mesh.yaml` and starts it; resolves when everything is ready. */
export async function startMesh(
  meshYaml: string,
  { files = {}, words = [], env = {} }: MeshStart = {},
): Promise<MeshProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-mesh-'));
  for (const [name, text] of Object.entries({ ...files, 'mesh.yaml': meshYaml })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const child = spawn(process.execPath, [join(root, 'bin/eastwest.js'), 'up', 'mesh.yaml', '--json', ...words], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: Record<string, unknown>[] = [];
  const listeners = new Set<() => void>();
  let complaints = '';
  child.stderr?.on('data', (piece) => (complaints += String(piece)));
  const ended = once(child, 'close').then(([code]): MeshEnd => ({
    code: (code as number | null) ?? 1,
    summary: lines.at(-1) as unknown as MeshSummary,
  }));
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    lines.push(JSON.parse(line) as Record<string, unknown>);
    for (const listener of listeners) listener();
  });
  const mesh: MeshProcess = {
    folder,
    stateDir: join(folder, '.eastwest'),
    lines,
    pid: child.pid ?? 0,
    output: () => `${lines.map((line) => JSON.stringify(line)).join('\n')}\n${complaints}`,
    until: (matches, deadlineMs) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          const found = lines.find(matches);
          if (!found) return;
          finish();
          resolve(found);
        };
        const fail = (why: string): void => {
          finish();
          reject(
            new Error(
              `${why}; last lines: ${lines
                .slice(-5)
                .map((line) => JSON.stringify(line))
                .join('\n')}\n${complaints}`,
            ),
          );
        };
        const timer = setTimeout(() => fail(`nothing came in ${deadlineMs} ms`), deadlineMs);
        const onClose = (): void => fail('the mesh ended');
        const finish = (): void => {
          clearTimeout(timer);
          listeners.delete(check);
          child.off('close', onClose);
        };
        child.on('close', onClose);
        listeners.add(check);
        check();
      }),
    eastwest: (...words) => runCommand(folder, words),
    ended,
    stop() {
      child.kill('SIGINT');
      return ended;
    },
    async [Symbol.asyncDispose]() {
      await endChild(child);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  try {
    await mesh.until((line) => line['event'] === 'up.ready', 60_000);
    return mesh;
  } catch (error) {
    await mesh[Symbol.asyncDispose]();
    throw error;
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await closed;
  clearTimeout(timer);
}

async function runCommand(cwd: string, words: readonly string[]) {
  const child = spawn(process.execPath, [join(root, 'bin/eastwest.js'), ...words], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (piece) => (stdout += String(piece)));
  child.stderr.on('data', (piece) => (stderr += String(piece)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? 1, stdout, stderr };
}

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/** The same texts with every number that `isPort` finds replaced by a free port, the same one for the same number. */
export async function onFreePorts(
  files: Readonly<Record<string, string>>,
  isPort: RegExp,
): Promise<Readonly<Record<string, string>>> {
  const named = new Set(Object.values(files).flatMap((text) => text.match(isPort) ?? []));
  const ports = await freePorts(named.size);
  const free = new Map([...named].map((port, index) => [port, String(ports[index])]));
  return Object.fromEntries(
    Object.entries(files).map(([name, text]) => [name, text.replace(isPort, (port) => free.get(port) ?? port)]),
  );
}
