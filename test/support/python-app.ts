import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface PythonApp extends AsyncDisposable {
  readonly port: number;
}

/** Starts a server of `test/support/apps/`, which tells its port first and then, line by line, what `Said` is. */
export async function startPythonApp<Said>(script: string, onSaid: (said: Said) => void): Promise<PythonApp> {
  const child = spawn('python3', [join(import.meta.dirname, 'apps', script)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const listening = Promise.withResolvers<number>();
  void ended.then(() => listening.reject(new Error(`${script} ended with code ${child.exitCode}`)));
  listening.promise.catch(() => undefined);
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said = JSON.parse(line) as Said & { readonly port?: number };
    if (said.port === undefined) onSaid(said);
    else listening.resolve(said.port);
  });
  return {
    port: await listening.promise,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
