import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Fault } from '#runtime/fault.ts';
import type { Edge } from '#cli/edge.ts';
import { readRunFile, runFilePath } from '#cli/run-file.ts';
import { getJson } from '#cli/unix-http.ts';
import { makeSocketDir, socketDirPrefix, temporaryDirs } from './socket-dir.ts';

/** Everything `up` keeps on disk; folders 0700, files 0600. */
export interface StateDir {
  readonly path: string;
  readonly controlPlaneDir: string;
  readonly logDir: string;
  readonly agentDir: string;
  /** Holds `node`, and nothing else: put first on the PATH of apps. */
  readonly nodeDir: string;
  /** Short path for sockets; gone when `up` ends. */
  readonly socketDir: string;
  readonly statusSocket: string;
  /** Where a workload's `agent.yaml` is written. */
  writeAgentConfig(workload: string, text: string): string;
  /** From now on `eastwest status` finds us. */
  announce(): void;
  close(): void;
}

/** Takes the folder for this run. Throws `Fault` ALREADY_UP when another `up` runs there. `workloads` have sockets. */
export async function openStateDir(path: string, edge: Edge, workloads: readonly string[] = []): Promise<StateDir> {
  await checkNobodyElse(path, edge);
  const [controlPlaneDir, logDir, nodeDir, agentDir] = ['control-plane', 'logs', 'bin', 'agents'].map((name) =>
    join(path, name),
  ) as [string, string, string, string];
  for (const dir of [path, controlPlaneDir, logDir, nodeDir, agentDir]) makePrivateDir(dir);
  writeFileSync(join(path, '.gitignore'), '*\n', { mode: 0o600 });
  linkNode(join(nodeDir, 'node'), edge.self.execPath);
  const socketDir = makeSocketDir(Math.max(...['up', ...workloads].map((name) => `${name}.sock`.length)));
  const statusSocket = join(socketDir, 'up.sock');
  return {
    path,
    controlPlaneDir,
    logDir,
    agentDir,
    nodeDir,
    socketDir,
    statusSocket,
    writeAgentConfig(workload, text) {
      const file = join(agentDir, `${workload}.yaml`);
      writePrivateFile(file, text);
      return file;
    },
    announce: () => writePrivateFile(runFilePath(path), `${JSON.stringify({ pid: edge.pid, socket: statusSocket })}\n`),
    close() {
      if (readRunFile(path)?.pid === edge.pid) rmSync(runFilePath(path), { force: true });
      rmSync(socketDir, { recursive: true, force: true });
    },
  };
}

/** A run that was killed leaves its files: whoever does not answer is gone. */
async function checkNobodyElse(path: string, edge: Edge): Promise<void> {
  const other = readRunFile(path);
  if (other === undefined) return;
  const answer = await getJson(other.socket, '/status', { deadlineMs: 2_000, clock: edge.clock }).catch(
    () => undefined,
  );
  if (answer !== undefined) {
    throw new Fault('ALREADY_UP', `a mesh already runs from ${path} (process ${other.pid})`, {
      hint: 'stop that one, or give this one its own folder: --state-dir DIR',
    });
  }
  const left = dirname(other.socket);
  if (temporaryDirs().includes(dirname(left)) && basename(left).startsWith(socketDirPrefix))
    rmSync(left, { recursive: true, force: true });
  rmSync(runFilePath(path), { force: true });
}

function makePrivateDir(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
  } catch (cause) {
    throw new Fault('STATE_DIR', `cannot use ${path}`, { cause, hint: 'name a folder of your own: --state-dir DIR' });
  }
}

/** Complete or not there at all, also when we are killed meanwhile. */
function writePrivateFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function linkNode(path: string, execPath: string): void {
  rmSync(path, { force: true });
  symlinkSync(execPath, path);
}
