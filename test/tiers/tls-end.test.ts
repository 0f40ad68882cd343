import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectSocket } from '#agent/pipe/connect-tcp.ts';
import { guardedClient, guardedServer } from '#agent/pipe/guarded-tls.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { clientTlsOptions, secureContextOf } from '#agent/tls/contexts.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { freePort } from '#support/agent-process.ts';
import { lacks } from '#support/needs.ts';
import { createPemFolder, lacksOpenssl3, type PemFolder } from '#support/programs.ts';
import { createRecordingReader, type RecordingReader } from '#support/recording-reader.ts';
import { createTestCa } from '#support/test-ca.ts';
import { identityOf } from '#support/test-identity.ts';

const what = 'openssl as a peer that ends TLS in order, or not';

describe.skipIf(lacks(what, 'openssl') || lacksOpenssl3(what))('openssl over a guarded wire', () => {
  const nowMs = Date.now();
  const ca = createTestCa({ nowMs });
  const theirs = ca.leaf('prices');
  const ours = Object.freeze({ ...identityOf(ca.leaf('cart'), { ca, nowMs }), generation: 1 });
  const started: ChildProcess[] = [];
  let pem: PemFolder;

  beforeAll(() => {
    pem = createPemFolder();
  });
  afterAll(() => {
    for (const child of started) child.kill('SIGKILL');
    pem[Symbol.dispose]();
  });

  function openssl(...args: string[]): ChildProcess {
    const child = spawn('openssl', [...args, ...pem.openssl(theirs, ca), '-tls1_3'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    started.push(child);
    return child;
  }

  /** Starts openssl as one end of TLS; the other end is ours. */
  async function meet(
    role: 'client' | 'server',
    ...options: string[]
  ): Promise<{ child: ChildProcess; pipe: Pipe; reader: RecordingReader }> {
    const { child, pipe } = role === 'client' ? await theyCall() : await weCall(options);
    const reader = createRecordingReader();
    pipe.reader = reader;
    pipe.resume();
    return { child, pipe, reader };
  }

  async function theyCall(): Promise<{ child: ChildProcess; pipe: Pipe }> {
    const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    const child = openssl('s_client', '-connect', `127.0.0.1:${port}`, '-nocommands');
    const [raw] = (await once(listener, 'connection')) as [Socket];
    listener.close();
    const guarded = guardedServer(raw, { secureContext: secureContextOf(ours), requestCert: true });
    await once(guarded.socket, 'secure');
    return { child, pipe: guarded.toPipe() };
  }

  async function weCall(options: readonly string[]): Promise<{ child: ChildProcess; pipe: Pipe }> {
    const port = await freePort();
    const child = openssl('s_server', '-accept', `127.0.0.1:${port}`, '-Verify', '1', ...options);
    for (;;) {
      const raw = await connectSocket({ host: '127.0.0.1', port }, { clock: systemClock });
      if (!raw.ok) continue; // it is still starting
      const guarded = guardedClient(raw.value, clientTlsOptions(ours));
      await once(guarded.socket, 'secureConnect');
      return { child, pipe: guarded.toPipe() };
    }
  }

  test('a client that has said all sends close_notify: an end', async () => {
    const { child, pipe, reader } = await meet('client');
    child.stdin?.end('the whole message');
    await reader.told('end');
    expect(String(reader.bytes)).toBe('the whole message');
    pipe.cut();
  });

  test('a server that has said all sends close_notify: an end', async () => {
    const { pipe, reader } = await meet('server', '-www');
    pipe.writeText('GET / HTTP/1.0\r\n\r\n');
    await reader.told('end');
    expect(String(reader.bytes)).toMatch(/^HTTP\/1.0 200 ok[^]*<\/HTML>\r\n\r\n$/i);
    pipe.cut();
  });

  test.each(['client', 'server'] as const)('a %s that is killed sends none: a cut, not an end (A76)', async (role) => {
    const { child, reader } = await meet(role);
    child.stdin?.write('half an ans\n');
    await reader.got(12);
    child.kill('SIGKILL');
    await reader.told('cut');
    expect(reader.story).toEqual(['bytes', 'cut']);
  });
});
