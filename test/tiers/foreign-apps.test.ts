import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startHttpApp, type HttpApp, type SeenRequest } from '#support/apps.ts';
import { startHttp2App } from '#support/h2-apps.ts';
import { startMtlsRelay } from '#support/mtls-relay.ts';
import { listening } from '#support/listening.ts';
import { lacks } from '#support/needs.ts';
import { sendRaw } from '#support/pair-world.ts';
import { startProcessPair, type ProcessPair } from '#support/process-pair.ts';
import { runProgram } from '#support/programs.ts';

const ports = { http: 7001, http2: 7002, auto: 7003, eager: 7004 } as const;
const what = 'curl, nghttp, wrk and h2load as apps';

describe.skipIf(lacks(what, 'curl', 'nghttp', 'wrk', 'h2load'))('programs of others as apps beside an agent', () => {
  const stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-apps-'));
  const upload = join(folder, 'upload');
  const content = randomBytes(3_000_000);
  const bodySha256 = createHash('sha256').update(content).digest('hex');
  let http: HttpApp;
  let pair: ProcessPair;

  beforeAll(async () => {
    stack.defer(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(upload, content);
    http = stack.use(await startHttpApp());
    const http2 = await startHttp2App((stream, { ':method': method = '' }) => {
      let bytes = 0;
      stream.respond({ ':status': 200, 'content-type': 'text/plain' });
      stream.on('data', (piece: Buffer) => (bytes += piece.length));
      stream.on('end', () => stream.end(`${method} ${bytes}`));
    });
    stack.defer(() => http2.end());
    const eager = stack.use(await startEagerApp());
    pair = stack.use(
      await startProcessPair({
        ports: [
          { port: ports.http, app: http.address.port, protocol: 'http' },
          { port: ports.http2, app: http2.port, protocol: 'http2' },
          { port: ports.auto, app: http.address.port, protocol: 'auto' },
          { port: ports.eager, app: eager.port, protocol: 'http' },
        ],
      }),
    );
  }, 30_000);
  afterAll(() => stack.disposeAsync());

  const url = async (port: number): Promise<string> => `http://127.0.0.1:${await pair.upstreamPort(port)}/price`;

  describe.each(['http', 'auto'] as const)('to an app of HTTP/1.1 (%s)', (port) => {
    const ways: readonly (readonly [option: string, version: string])[] = [
      ['--http1.0', '1.1'],
      ['--http1.1', '1.1'],
      ['--http2', '1.1'], // the upgrade to h2c is not followed
      ['--http2-prior-knowledge', '2'],
    ];
    test.each(ways)('curl %s gets the app’s answer over HTTP/%s', async (option, version) => {
      const args = ['-sS', '--max-time', '20', option, '-w', '\n%{http_version} %{http_code}'];
      const got = await runProgram('curl', [...args, await url(ports[port])]);
      expect(got, got.stderr).toMatchObject({ code: 0, stderr: '' });
      expect(got.stdout.split('\n').at(-1)).toBe(`${version} 200`);
      const posted = await runProgram('curl', [...args, '--data-binary', `@${upload}`, await url(ports[port])]);
      const [answer = '', told] = posted.stdout.split('\n');
      expect(told).toBe(`${version} 200`);
      expect(JSON.parse(answer)).toMatchObject({ method: 'POST', bodyBytes: content.length, bodySha256 });
      expect((JSON.parse(answer) as SeenRequest).headers.join(' ')).not.toMatch(/http2-settings|upgrade/i);
    });

    test('nghttp gets and posts over h2c', async () => {
      const got = await runProgram('nghttp', ['-v', '--no-dep', await url(ports[port])]);
      expect(got.stdout).toMatch(/:status: 200[^]*"url":"\/price"/);
      const posted = await runProgram('nghttp', ['--no-dep', '-d', upload, await url(ports[port])]);
      expect(JSON.parse(posted.stdout)).toMatchObject({ bodyBytes: content.length, bodySha256 });
    });

    test('nghttp that upgrades to h2c by a request is not followed, and the app hears nothing of it (A59)', async () => {
      const got = await runProgram('nghttp', ['-v', '-u', '--no-dep', await url(ports[port])]);
      expect(got.stdout).not.toMatch(/101 Switching/);
      expect(http.seen.flatMap(({ headers }) => headers).join(' ')).not.toMatch(/http2-settings|h2c/i);
    });

    test('wrk: 64 connections, no error', async () => {
      const ran = await runProgram('wrk', ['-t1', '-c64', '-d2s', await url(ports[port])]);
      expect(ran.stdout).toMatch(/[1-9]\d* requests in/);
      expect(ran.stdout).not.toMatch(/Socket errors|Non-2xx/);
      http.seen.length = 0;
    });

    test.each(['--h1', '-m8'])('h2load %s: 8 connections, no error', async (option) => {
      const ran = await runProgram('h2load', ['-n4000', '-c8', option, await url(ports[port])]);
      expect(ran.stdout).toContain('4000 succeeded, 0 failed, 0 errored, 0 timeout');
      http.seen.length = 0;
    });
  });

  describe('to an app of HTTP/2', () => {
    test('curl speaks HTTP/1.1 and HTTP/2 to it', async () => {
      for (const option of ['--http1.1', '--http2-prior-knowledge']) {
        const ran = await runProgram('curl', ['-sS', option, '--data-binary', `@${upload}`, await url(ports.http2)]);
        expect([option, ran.stdout, ran.stderr]).toEqual([option, `POST ${content.length}`, '']);
      }
    });

    test('nghttp gets many at once over one connection', async () => {
      const ran = await runProgram('nghttp', ['-m', '200', '--no-dep', await url(ports.http2)]);
      expect(ran.stdout).toBe('GET 0'.repeat(200));
    });

    test.each(['--h1', '-m32'])('h2load %s: 8 connections with bodies, no error', async (option) => {
      const small = join(folder, 'small');
      writeFileSync(small, content.subarray(0, 3_000));
      const ran = await runProgram('h2load', ['-n4000', '-c8', option, '-d', small, await url(ports.http2)]);
      expect(ran.stdout).toContain('4000 succeeded, 0 failed, 0 errored, 0 timeout');
    });
  });

  describe('straight to the inbound port, behind mTLS', () => {
    test.each([
      ['http/1.1', '--h1'],
      ['h2', '-m16'],
    ])('h2load with ALPN %s: no error', async (alpn, option) => {
      const own = { ca: pair.ca, certificate: pair.ca.leaf('cart'), alpn: [alpn] };
      await using relay = await startMtlsRelay(pair.inbound.port, own);
      const ran = await runProgram('h2load', ['-n2000', '-c8', option, `http://127.0.0.1:${relay.port}/`]);
      expect(ran.stdout).toContain('2000 succeeded, 0 failed, 0 errored, 0 timeout');
      http.seen.length = 0;
    });
  });

  test('A59: an app that would follow an upgrade to h2c is not asked, and what comes behind is a request of its own', async () => {
    const upgrade = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';
    const hidden = 'GET /admin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    const heard = await sendRaw(
      await pair.upstreamPort(ports.eager),
      `GET / HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n${hidden}`,
    );
    expect(heard).not.toContain('101');
    expect(heard.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
  });
});

/** Agrees to every upgrade that it is asked for. */
async function startEagerApp(): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((_request, response) => response.end('ok'));
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.on('upgrade', ({ headers }, socket: Socket) => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${headers.upgrade}\r\n\r\n`);
  });
  return listening(server, () => sockets.forEach((socket) => socket.destroy()));
}
