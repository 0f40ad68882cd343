import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestAuthority, TestCertificate } from './test-ca.ts';

export interface Ran {
  /** The exit code; -1 when the deadline ended it. */
  readonly code: number;
  /** Bytes as latin1 text. */
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end with `input` on its standard input, which then closes. */
export function runProgram(
  program: string,
  args: readonly string[],
  { input = '', deadlineMs = 10_000 }: { readonly input?: string; readonly deadlineMs?: number } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'pipe', timeout: deadlineMs, killSignal: 'SIGKILL' });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('latin1').on('data', (piece: string) => (stdout += piece));
    child.stderr.setEncoding('latin1').on('data', (piece: string) => (stderr += piece));
    child.stdin.on('error', () => undefined); // it may end before it has read everything
    child.stdin.end(input, 'latin1');
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}

/** Whether `openssl` here is older than 3.0, or absent. Says so in one line, as `lacks` does. */
export function lacksOpenssl3(what: string): boolean {
  const { stdout } = spawnSync('openssl', ['version'], { encoding: 'utf8' });
  const major = Number(/^OpenSSL (\d+)\./.exec(stdout ?? '')?.[1] ?? 0);
  if (major < 3) console.warn(`skipped: ${what} (needs OpenSSL 3; here: ${(stdout ?? '').trim() || 'none'})`);
  return major < 3;
}

/** PEM files for programs that read nothing else. */
export interface PemFolder extends Disposable {
  readonly path: string;
  /** Options of curl for this client certificate (none: without one) and these roots. */
  curl(client: TestCertificate | undefined, roots: TestAuthority): string[];
  /** Options of `openssl s_client` and `s_server`. */
  openssl(own: TestCertificate | undefined, roots: TestAuthority): string[];
}

export function createPemFolder(): PemFolder {
  const path = mkdtempSync(join(tmpdir(), 'eastwest-pem-'));
  let written = 0;
  const file = (text: string): string => {
    written += 1;
    const name = join(path, `${written}.pem`);
    writeFileSync(name, text, { mode: 0o600 });
    return name;
  };
  const own = (certificate: TestCertificate | undefined, [cert, key, chain]: readonly string[]): string[] => {
    if (!certificate) return [];
    const pem = file(certificate.chainPem);
    return [cert!, pem, key!, file(certificate.keyPem), ...(chain === undefined ? [] : [chain, pem])];
  };
  return {
    path,
    curl: (client, roots) => [...own(client, ['--cert', '--key']), '--cacert', file(roots.bundlePem)],
    openssl: (certificate, roots) => [
      ...own(certificate, ['-cert', '-key', '-cert_chain']),
      '-CAfile',
      file(roots.bundlePem),
    ],
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
