import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkout } from '#support/fresh-folder.ts';
import { onFreePorts } from '#support/mesh-process.ts';
import { lacks } from '#support/needs.ts';
import { runProgram } from '#support/programs.ts';
import { byHandHeading, commandsIn, filesIn } from '#support/readme.ts';

const lacksCurl = lacks('the README’s control plane and agents by hand', 'curl');

/** How a command that stays in the background says that it is ready; a plain app says nothing. */
const readiness = [
  ['npx eastwest control-plane', '"event":"control-plane.ready"'],
  ['npx eastwest agent', '"event":"agent.ready"'],
] as const;

describe.skipIf(lacksCurl)('the README’s control plane and agents, started by hand', () => {
  test('bring a request through, and the certificate shown is one the mesh accepts', async () => {
    await using shell = await typeCommands();
    const [curl, shown] = shell.answers;
    expect(curl, shell.heard()).toBe('hello, spiffe://own.example/ns/default/sa/asker\n');
    expect(shown).toMatch(/^names +URI:spiffe:\/\/own\.example\/ns\/default\/sa\/greeter$/m);
    expect(shown).toMatch(/^in the mesh +accepted$/m);
  }, 60_000);
});

/** Runs the section's commands one by one, as a person would: the next one when the last is ready. */
async function typeCommands() {
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-by-hand-'));
  const script = commandsIn('README.md', byHandHeading).join('\n');
  const all = await onFreePorts({ ...filesIn('README.md'), script }, /\b(8[01]10|9440|15010)\b/g);
  const { script: commands = '', ...files } = all;
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const children: ChildProcess[] = [];
  const heard: string[] = [];
  const answers: string[] = [];
  const stop = async (): Promise<void> => {
    for (const child of children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      process.kill(-child.pid!, 'SIGKILL');
      await ended;
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    for (const command of commands.split('\n')) {
      if (command.endsWith(' &')) children.push(await startInBackground(command.slice(0, -2), folder, heard));
      else answers.push(await answerOf(command, folder));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { answers, heard: () => heard.join(''), [Symbol.asyncDispose]: stop };
}

async function startInBackground(command: string, cwd: string, heard: string[]): Promise<ChildProcess> {
  const child = spawn('/bin/sh', ['-c', local(command)], {
    cwd,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: withOurNode(),
  });
  const sign = readiness.find(([start]) => command.includes(start))?.[1];
  if (sign === undefined) return child;
  let said = '';
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (piece: Buffer) => {
        said += piece.toString();
        heard.push(piece.toString());
        if (said.includes(sign)) resolve();
      });
    }
    child.once('exit', () => reject(new Error(`${command} ended: ${said}`)));
  });
  return child;
}

/** What a command prints; once more for a second while its peers still hear of each other. */
async function answerOf(command: string, cwd: string): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    const ran = await runProgram('/bin/sh', ['-c', `cd '${cwd}' && PATH='${withOurNode().PATH}' && ${local(command)}`]);
    if (ran.code === 0 && !ran.stdout.startsWith('{')) return ran.stdout;
    if (attempt === 10) return `${command}: ${ran.code} ${ran.stdout} ${ran.stderr}`;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** `npx eastwest` of this checkout. */
function local(command: string): string {
  return command.replaceAll('npx eastwest', `node '${join(checkout, 'bin', 'eastwest.js')}'`);
}

function withOurNode(): NodeJS.ProcessEnv & { readonly PATH: string } {
  return { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` };
}
