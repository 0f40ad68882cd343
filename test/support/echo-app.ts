import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { untilOpen } from './until-open.ts';

/** Starts `apps/<file>` with its ports (names of environment variables); resolves when it listens on all of them. */
export async function startEchoApp(file: string, ports: Readonly<Record<string, number>>): Promise<AsyncDisposable> {
  const named = Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, `${port}`]));
  const env = { ...process.env, ...named };
  const app = spawn(process.execPath, [join(import.meta.dirname, 'apps', file)], { env, stdio: 'inherit' });
  await Promise.all(Object.values(ports).map((port) => untilOpen(port)));
  return {
    async [Symbol.asyncDispose]() {
      const ended = once(app, 'exit');
      app.kill('SIGKILL');
      await ended;
    },
  };
}
