import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort, ownEnvironment } from './agent-process.ts';
import { checkout } from './fresh-folder.ts';
import { runProgram } from './programs.ts';

/** `eastwest control-plane` as a process of its own, on one address and one data folder over all its starts. */
export interface ControlPlaneProcess extends AsyncDisposable {
  readonly address: string;
  readonly trustDomain: string;
  readonly dataDir: string;
  readonly trustBundle: string;
  /** Of the latest start. */
  readonly pid: number;
  /** How long its first start took, until it was ready. */
  readonly firstStartMs: number;
  /** Starts it again; resolves when it is ready. */
  start(): Promise<void>;
  /** SIGKILL, and until it has ended. */
  kill(): Promise<void>;
  /** SIGTERM, and until it has ended; the exit code. */
  stop(): Promise<number | null>;
  /** `eastwest token create`. */
  joinToken(workload: string): Promise<string>;
}

const startDeadlineMs = 15_000;

export async function startControlPlaneProcess(
  svidLife: string,
  { trustDomain = 'echo.example', config = {} }: { readonly trustDomain?: string; readonly config?: object } = {},
): Promise<ControlPlaneProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-alone-'));
  const dataDir = join(folder, 'data');
  const address = `127.0.0.1:${await freePort()}`;
  const file = join(folder, 'control-plane.yaml');
  writeFileSync(file, JSON.stringify({ ...config, trustDomain })); // JSON is YAML
  const places = ['--config', file, '--data-dir', dataDir, '--listen', address];
  let child: ChildProcess;
  const start = async (): Promise<void> => {
    const words = [join(checkout, 'bin/eastwest.js'), 'control-plane', ...places, '--svid-life', svidLife];
    child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'], env: ownEnvironment() });
    await saidReady(child);
  };
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const ended = once(child, 'exit');
    child.kill(signal);
    const [code] = (await ended) as [number | null];
    return code;
  };
  const beganMs = performance.now();
  await start();
  const firstStartMs = performance.now() - beganMs;
  return {
    firstStartMs,
    address,
    trustDomain,
    dataDir,
    trustBundle: join(dataDir, 'trust-bundle.pem'),
    get pid() {
      return child.pid!;
    },
    start,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
    async joinToken(workload) {
      const words = [join(checkout, 'bin/eastwest.js'), 'token', 'create', workload, '--data-dir', dataDir];
      const { code, stdout, stderr } = await runProgram(process.execPath, words);
      if (code !== 0) throw new Error(stderr);
      return stdout.trim();
    },
    async [Symbol.asyncDispose]() {
      await end('SIGKILL');
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Keeps reading: a full pipe would hold the process up. */
function saidReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the control plane is not ready in time')), startDeadlineMs);
    createInterface(child.stdout as NodeJS.ReadableStream).on('line', (line) => {
      if (!line.includes('"control-plane.ready"')) return;
      clearTimeout(timer);
      resolve();
    });
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      reject(new Error(`the control plane ended with ${code ?? signal}`));
    });
  });
}
