import { spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { exitCodeOf } from '#cli/errors.ts';
import { serveStatus } from '#cli/up/status-server.ts';
import type { View } from '#cli/up/events.ts';
import type { Summary } from '#cli/up/summary.ts';
import { readPolicies } from '#policy/documents.ts';
import { serveAdmin } from '#proto/admin.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, refuse } from '#runtime/result.ts';
import { Fault } from '#runtime/fault.ts';
import { errorLines } from '#runtime/error-lines.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { eastwest } from '#support/command-line.ts';
import { checkout, freshFolder } from '#support/fresh-folder.ts';
import { badLeaves, createTestCa } from '#support/test-ca.ts';

/** Sleeps no time at all, but for what happens `meanwhile`. */
function hurriedClock(meanwhile: () => Promise<void> = () => Promise.resolve()): Clock {
  let sleptMs = 0;
  return {
    ...systemClock,
    monotonic: () => systemClock.monotonic() + sleptMs,
    async sleep(ms) {
      sleptMs += ms;
      await meanwhile();
    },
  };
}

describe('eastwest token create', () => {
  const serve = (dataDir: string) => {
    mkdirSync(dataDir, { recursive: true });
    return serveAdmin({
      socketPath: join(dataDir, 'admin.sock'),
      clock: systemClock,
      onFault: (error) => {
        throw error;
      },
      handlers: {
        createJoinToken: ({ workload, namespace, ttlMs }) =>
          Promise.resolve(
            workload === 'nobody'
              ? refuse({ code: 'permission-denied', reason: 'unknown-workload' })
              : ok({
                  token: `token-for-${workload}`,
                  spiffeId: `spiffe://shop.example/ns/${namespace}/sa/${workload}` as never,
                  expiresAtMs: 1_700_000_000_000 + ttlMs,
                }),
          ),
        status: () => Promise.reject(new Error('not asked for')),
        policies: {} as never,
        registry: {} as never,
      },
    });
  };

  test('writes the token alone to standard output', async () => {
    await using folder = freshFolder();
    const admin = await serve(join(folder.path, '.eastwest/control-plane'));
    expect(await eastwest('token create prices', folder.path)).toEqual({
      code: 0,
      stdout: 'token-for-prices\n',
      stderr: 'works once, within 10m 00s, for spiffe://shop.example/ns/default/sa/prices\n',
    });
    const json = await eastwest('token create prices --namespace blue --ttl 2m --json', folder.path);
    expect(JSON.parse(json.stdout)).toEqual({
      token: 'token-for-prices',
      spiffeId: 'spiffe://shop.example/ns/blue/sa/prices',
      expiresAt: '2023-11-14T22:15:20.000Z',
    });
    const refused = await eastwest('token create nobody', folder.path);
    expect(refused).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('unknown-workload') });
    await admin.close(0);
  });

  test('waits for a control plane that starts just after it', async () => {
    await using folder = freshFolder();
    const dataDir = join(folder.path, '.eastwest/control-plane');
    let admin: Awaited<ReturnType<typeof serve>> | undefined;
    const clock = hurriedClock(async () => void (admin ??= await serve(dataDir)));
    const { code, stdout, stderr } = await eastwest('token create prices', folder.path, clock);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'token-for-prices\n' });
    expect(stderr).toMatch(/^waiting up to 15s for a control plane with its data in .*\nworks once, .*\n$/);
    await admin?.close(0);
  });

  test.each([
    [
      'token create prices',
      1,
      /^waiting up to 15s for a control plane with its data in .*\nerror: no control plane runs with its data in .*\nfix: start it, or name its data directory: --data-dir DIR\n$/,
    ],
    ['token create prices --ttl soon', 2, /^error: --ttl soon is no duration\nfix: write 30s, 10m or 1h\n$/],
  ])('%s without a control plane ends with %d', async (line, code, stderr) => {
    await using folder = freshFolder();
    const ended = await eastwest(line, folder.path, hurriedClock());
    expect(ended).toEqual({ code, stdout: '', stderr: expect.stringMatching(stderr) });
  });
});

describe('eastwest status', () => {
  const summary: Summary = {
    requests: 9,
    failed: 0,
    resets: 0,
    workloads: [
      {
        name: 'prices',
        spiffeId: 'spiffe://shop.example/ns/default/sa/prices',
        ports: { inbound: '127.0.0.1:2', app: [7002], upstreams: {}, admin: '127.0.0.1:3' },
        rotations: 4,
        notAfter: null,
      },
    ],
    denied: 0,
  };
  const view: View = {
    mesh: 'shop',
    summary,
    nowMs: 1_000_000,
    readyForMs: 62_000,
    path: undefined,
    rows: [{ name: 'prices', app: 'running', agent: 'ready', notAfterMs: 1_012_500, requests: 7, failed: 1 }],
  };

  test('tells what the running mesh says', async () => {
    await using folder = freshFolder();
    mkdirSync(join(folder.path, '.eastwest'));
    const socket = join(folder.path, 'up.sock');
    const server = await serveStatus(socket, { summary: () => summary, view: () => view, agents: () => ({}) });
    writeFileSync(join(folder.path, '.eastwest/run.json'), JSON.stringify({ pid: process.pid, socket }));
    const json = await eastwest('status --json', folder.path);
    expect(JSON.parse(json.stdout)).toEqual(summary);
    const text = await eastwest('status', folder.path);
    expect(text.stdout).toBe(
      'shop  up 62s\n' +
        'WORKLOAD  APP      AGENT  EXPIRES IN  ROTATIONS  CALLS OK  FAILED  SPIFFE ID\n' +
        'prices    running  ready         12s          4         6       1  spiffe://shop.example/ns/default/sa/prices\n' +
        'requests 9 ok, 0 failed, 0 resets\n',
    );
    server.close();
    const stopped = await eastwest('status', folder.path);
    expect(stopped).toMatchObject({ code: 1, stderr: expect.stringContaining('does not answer') });
  });

  test.each([
    ['nothing', undefined],
    ['rubbish', 'not json'],
    ['something else', '{}'],
  ])('says how to start one where there is %s', async (_, text) => {
    await using folder = freshFolder();
    mkdirSync(join(folder.path, '.eastwest'));
    if (text !== undefined) writeFileSync(join(folder.path, '.eastwest/run.json'), text);
    const { code, stderr } = await eastwest('status', folder.path);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: no mesh runs from .*\nfix: start one with `eastwest up`/);
  });
});

describe('eastwest cert show', () => {
  const ca = createTestCa({ nowMs: systemClock.now() });
  const good = ca.intermediate().leaf('prices');

  test.each([
    ['a good file', good, [0, 'in the mesh  accepted']],
    ['an expired one', ca.leaf('prices', { notAfterMs: systemClock.now() - 1000 }), [1, 'refused: expired']],
    ['one of two names (A42)', ca.leaf('prices', badLeaves['two URI SANs']), [1, 'refused: several-uri-sans']],
    ['one without a SPIFFE ID', ca.leaf('prices', badLeaves['no URI SAN']), [1, 'refused: no SPIFFE ID']],
    ['one of another root', createTestCa({ nowMs: systemClock.now() }).leaf('prices'), [1, 'refused: ']],
  ] as const)('judges %s', async (_, leaf, [code, verdict]) => {
    await using folder = freshFolder();
    writeFileSync(join(folder.path, 'tls.crt'), leaf.chainPem);
    writeFileSync(join(folder.path, 'ca.crt'), ca.bundlePem);
    const shown = await eastwest('cert show tls.crt --bundle ca.crt', folder.path);
    expect(shown).toMatchObject({ code, stdout: expect.stringContaining(verdict) });
    const unjudged = await eastwest('cert show tls.crt', folder.path);
    expect(unjudged).toMatchObject({ code: 0, stdout: expect.stringContaining('unknown: no trust bundle') });
  });

  test('shows the thumbprint of the key as a DenyList takes it', async () => {
    await using folder = freshFolder();
    writeFileSync(join(folder.path, 'tls.crt'), good.chainPem);
    const spki = new X509Certificate(good.chainPem).publicKey.export({ type: 'spki', format: 'der' });
    const thumbprint = createHash('sha256').update(spki).digest('hex');
    const { stdout } = await eastwest('cert show tls.crt', folder.path);
    expect(stdout).toContain(`\nkey sha256   ${thumbprint}\n`);
    const { keyThumbprint } = JSON.parse((await eastwest('cert show tls.crt --json', folder.path)).stdout) as Record<
      string,
      string
    >;
    const list = `{ apiVersion: eastwest.dev/v1, kind: DenyList, metadata: { name: a, namespace: b }, spec: { entries: [{ keyThumbprint: ${keyThumbprint}, reason: c }] } }`;
    expect(readPolicies(list, 'a.yaml')).toMatchObject({
      ok: true,
      value: [{ document: { entries: [{ keyThumbprint: thumbprint }] } }],
    });
  });

  test('shows what a server presents to a stranger, chain included', async () => {
    await using folder = freshFolder();
    const server = createServer({ cert: good.chainPem, key: good.keyPem, requestCert: true, ca: ca.bundlePem });
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    writeFileSync(join(folder.path, 'ca.crt'), ca.bundlePem);
    const { port } = server.address() as AddressInfo;
    const shown = await eastwest(`cert show 127.0.0.1:${port} --bundle ca.crt --json`, folder.path);
    expect(JSON.parse(shown.stdout)).toMatchObject({
      subjectAlternativeNames: 'URI:spiffe://shop.example/ns/default/sa/prices',
      key: 'ec prime256v1',
      isAuthority: false,
      chainLength: 2,
      verdict: 'accepted',
    });
    server.close();
  });

  test('says what it could not find', async () => {
    await using folder = freshFolder();
    const unknown = await eastwest('cert show prices', folder.path);
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('no mesh runs from') });
    mkdirSync(join(folder.path, 'prices'));
    const named = await eastwest('cert show prices', folder.path);
    expect(named).toMatchObject({ code: 1, stderr: expect.stringContaining('no mesh runs from') });
    const missing = await eastwest('cert show missing.crt', folder.path);
    expect(missing).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: no such file: .*missing\.crt\nfix: /),
    });
    writeFileSync(join(folder.path, 'rubbish.crt'), 'hello');
    const rubbish = await eastwest('cert show rubbish.crt', folder.path);
    expect(rubbish).toMatchObject({ code: 1, stderr: expect.stringContaining('holds no certificates in PEM form') });
  });
});

describe('an error', () => {
  test('is a line with its causes and a line that names the fix', () => {
    const cause = new Error('inner', { cause: new Error('innermost') });
    const fault = new Fault('X', 'outer', { cause, hint: 'do this' });
    expect(errorLines(fault)).toBe('error: outer: inner: innermost\nfix: do this\n');
    expect(errorLines(new Error('says inner', { cause: new Error('inner') }))).toBe('error: says inner\n');
    expect(exitCodeOf(fault)).toBe(1);
  });
});

describe('the launcher', () => {
  const launcher = join(checkout, 'bin', 'eastwest.js');

  const launch = (args: readonly string[], env: Record<string, string> = {}) => {
    const { PATH = '' } = process.env;
    const child = spawn(process.execPath, [launcher, ...args], {
      env: { PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (data: Buffer) => (output.stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output.stderr += data.toString()));
    return { child, output, ended: once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]> };
  };

  test('starts the program and hands its exit code on', async () => {
    await using home = freshFolder();
    const good = launch(['--version'], { HOME: home.path });
    expect(await good.ended).toEqual([0, null]);
    expect(good.output.stdout).toMatch(/^eastwest \d+\.\d+\.\d+ \(node v/);
    const bad = launch(['upp'], { HOME: home.path });
    expect(await bad.ended).toEqual([2, null]);
    expect(bad.output.stderr).toBe('error: there is no command `upp`\nfix: did you mean `eastwest up`?\n');
  });

  test.each(['/dev/null/nowhere', '/proc'])('starts where the home folder %s cannot be written', async (HOME) => {
    const { ended } = launch(['--version'], { HOME });
    expect(await ended).toEqual([0, null]);
  });
});
