import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

export const checkout = join(import.meta.dirname, '..', '..');

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** An empty folder outside the checkout, in which commands run as a stranger would type them. */
export interface FreshFolder extends AsyncDisposable {
  readonly path: string;
  /** Runs a shell command line; resolves when it has ended, however it ended. Killed after `deadlineMs`. */
  run(command: string, limits: { readonly deadlineMs: number }): Promise<Ended>;
}

export function freshFolder(): FreshFolder {
  const path = mkdtempSync(join(tmpdir(), 'eastwest-fresh-'));
  return {
    path,
    run: (command, limits) => runIn(path, command, limits),
    async [Symbol.asyncDispose]() {
      rmSync(path, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** What a clone would hold: files that git knows or would add, without `node_modules` and build results. */
export async function copyCheckout(to: FreshFolder): Promise<void> {
  const listing = promisify(execFile)('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: checkout,
  });
  const files = (await listing).stdout.split('\0').filter((file) => file !== '');
  for (const file of new Set(files)) cpSync(join(checkout, file), join(to.path, file));
}

function runIn(cwd: string, command: string, { deadlineMs }: { readonly deadlineMs: number }): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      'sh',
      ['-c', command],
      { cwd, env: strangersEnvironment(), timeout: deadlineMs, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

/**
 * Our environment without what `npm run` and the test runner put into it: the machine's own Node and npm are found, not
 * those of this checkout. Settings of the registry stay.
 */
function strangersEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      /^npm_config_(registry|cache|cafile|proxy|https_proxy|noproxy)$/i.test(name) ||
      !/^(npm_|NODE_OPTIONS$|NODE_ENV$|NODE$|INIT_CWD$|VITEST|TEST$|EASTWEST_)/.test(name),
  );
  const ours = dirname(process.execPath);
  const path = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules') && folder !== ours);
  // npx must find the command in the folder: it may not fetch a package of that name instead.
  return { ...Object.fromEntries(kept), PATH: path.join(delimiter), npm_config_yes: 'false' };
}
