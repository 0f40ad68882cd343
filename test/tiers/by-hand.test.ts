import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkout } from '#support/fresh-folder.ts';
import { onFreePorts } from '#support/mesh-process.ts';
import { lacks } from '#support/needs.ts';
import { byHandHeading, commandsIn, filesIn } from '#support/readme.ts';

const lacksCurl = lacks('the README’s control plane and agents by hand', 'curl');
/** Of the README's commands and files: those of apps, agents and the control plane. */
const portsOfReadme = /\b(8[01]10|9440|15010)\b/g;
const deadlineMs = 50_000;

describe.skipIf(lacksCurl)('the README’s control plane and agents by hand, pasted into a shell at once', () => {
  test('bring a request through, and the certificate shown is one the mesh accepts', async () => {
    const { code, stdout, all } = await paste();
    expect(code, all).toBe(0);
    expect(stdout, all).toMatch(/^hello, spiffe:\/\/own\.example\/ns\/default\/sa\/asker$/m);
    expect(stdout, all).toMatch(/^names +URI:spiffe:\/\/own\.example\/ns\/default\/sa\/greeter$/m);
    expect(stdout, all).toMatch(/^in the mesh +accepted$/m);
  }, 60_000);
});

/** Pipes the section's block as it stands, but for the ports, into `sh`; in the end stops all that it started. */
async function paste() {
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-by-hand-'));
  const block = `${commandsIn('README.md', byHandHeading).join('\n')}\n`;
  const { block: script = '', ...files } = await onFreePorts({ ...filesIn('README.md'), block }, portsOfReadme);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  installInto(folder);
  const shell = spawn('/bin/sh', { cwd: folder, detached: true, stdio: 'pipe', env: withOurNode() });
  const said = { stdout: '', stderr: '' };
  shell.stdout.on('data', (piece: Buffer) => (said.stdout += piece.toString()));
  shell.stderr.on('data', (piece: Buffer) => (said.stderr += piece.toString()));
  const closed = once(shell, 'close'); // after the last program in the background has ended
  const exited = once(shell, 'exit') as Promise<[number | null]>;
  const endAll = (): boolean => process.kill(-shell.pid!, 'SIGKILL');
  const late = setTimeout(endAll, deadlineMs);
  try {
    shell.stdin.end(script);
    const [code] = await exited;
    clearTimeout(late);
    if (code !== null) endAll();
    await closed;
    return { code, stdout: said.stdout, all: `${said.stdout}\n${said.stderr}` };
  } finally {
    clearTimeout(late);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** So that `npx eastwest` is that of this checkout. */
function installInto(folder: string): void {
  const programs = join(folder, 'node_modules', '.bin');
  mkdirSync(programs, { recursive: true });
  symlinkSync(join(checkout, 'bin', 'eastwest.js'), join(programs, 'eastwest'));
}

function withOurNode(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` };
}
