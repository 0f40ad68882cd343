import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ownEnvironment } from './agent-process.ts';
import { untilOpen } from './until-open.ts';

export interface AppProcess extends AsyncDisposable {
  readonly pid: number;
}

/** An app of `test/support/apps` as a process of its own; resolves when it listens on all of its ports. */
export async function startAppProcess(file: string, ports: Readonly<Record<string, number>>): Promise<AppProcess> {
  const named = Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)]));
  const app = spawn(process.execPath, [join(import.meta.dirname, 'apps', file)], {
    env: { ...ownEnvironment(), ...named },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await Promise.all(Object.values(ports).map((port) => untilOpen(port)));
  return {
    pid: app.pid!,
    async [Symbol.asyncDispose]() {
      const ended = once(app, 'exit');
      app.kill('SIGKILL');
      await ended;
    },
  };
}
