import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '#bench/programs.ts';
import { untilOpen } from './until-open.ts';

export interface ForeignProgram extends AsyncDisposable {
  /** What it wrote to its standard output so far. */
  readonly said: string;
}

/** Starts a server of others with its files in `dir`, and waits until it listens on `port`. */
export async function startForeignProgram(
  program: string,
  launch: { readonly dir: string; readonly files: Readonly<Record<string, string>>; readonly words: readonly string[] },
  port: number,
): Promise<ForeignProgram> {
  const { dir, files, words } = launch;
  mkdirSync(dir, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  const child = spawn(findProgram(program) ?? program, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  const end = async (): Promise<void> => {
    const ended = once(child, 'exit');
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await ended;
  };
  try {
    await untilOpen(port);
  } catch (error) {
    await end();
    throw error;
  }
  return {
    get said() {
      return said;
    },
    [Symbol.asyncDispose]: end,
  };
}
