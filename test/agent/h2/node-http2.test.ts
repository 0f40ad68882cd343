import { once } from 'node:events';
import http2, { type ClientHttp2Session, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import net, { type AddressInfo, type Socket } from 'node:net';
import tls from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { defaultH2Times } from '#agent/h2/session-options.ts';
import { createH2Session } from '#agent/h2/session.ts';
import type { H2Session, H2SessionHandler } from '#agent/h2/types.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { TcpPipe } from '#agent/pipe/tcp-pipe.ts';
import { TlsPipe } from '#agent/pipe/tls-pipe.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { connectHead, getHead, h2Fields, okHead, postHead, StreamLog, testH2Settings } from '#support/h2-raw.ts';
import { createTestCa } from '#support/test-ca.ts';

const ca = createTestCa({ nowMs: Date.now() });
const leaf = ca.leaf('cart');
const serverTls = { key: leaf.keyPem, cert: leaf.chainPem, ALPNProtocols: ['h2'] };
const clientTls = { ca: ca.bundlePem, checkServerIdentity: () => undefined, ALPNProtocols: ['h2'] };

const closers: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function listening(server: net.Server | tls.Server | Http2Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

function startOurs(role: 'client' | 'server', pipe: Pipe, handler: Partial<H2SessionHandler>): H2Session {
  const nobody: H2SessionHandler = {
    onStream: () => undefined,
    onReady: () => undefined,
    onGoaway: () => undefined,
    onClosed: () => undefined,
  };
  const session = createH2Session({
    role,
    pipe,
    settings: testH2Settings,
    times: defaultH2Times,
    clock: systemClock,
    handler: { ...nobody, ...handler },
  });
  closers.push(() => session.destroy(0));
  return session;
}

/** Node's client on a server of ours; every stream is given to `serve`. */
async function nodeAsks(wire: 'tcp' | 'tls', serve: (log: StreamLog) => void): Promise<ClientHttp2Session> {
  const accept = (pipe: Pipe): void => {
    startOurs('server', pipe, {
      onStream(stream) {
        const log = new StreamLog();
        log.stream = stream;
        stream.handler = log;
        serve(log);
      },
    });
  };
  const server =
    wire === 'tcp'
      ? net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) =>
          accept(new TcpPipe(socket)),
        )
      : tls.createServer(serverTls, (socket) => accept(new TlsPipe(socket)));
  const port = await listening(server);
  const url = `${wire === 'tcp' ? 'http' : 'https'}://127.0.0.1:${port}`;
  const client = http2.connect(url, wire === 'tls' ? clientTls : {});
  closers.push(() => client.destroy());
  await once(client, 'remoteSettings');
  return client;
}

/** A client of ours on Node's server. */
async function weAsk(
  wire: 'tcp' | 'tls',
  serve: (stream: ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
  handler: Partial<H2SessionHandler> = {},
): Promise<{ session: H2Session; node: Http2Server }> {
  const node = wire === 'tcp' ? http2.createServer() : http2.createSecureServer(serverTls);
  node.on('stream', serve);
  const port = await listening(node);
  const socket = await connected(wire, port);
  const pipe = socket instanceof tls.TLSSocket ? new TlsPipe(socket) : new TcpPipe(socket);
  return new Promise((resolve) => {
    const session = startOurs('client', pipe, { ...handler, onReady: () => resolve({ session, node }) });
  });
}

async function connected(wire: 'tcp' | 'tls', port: number): Promise<Socket> {
  const socket =
    wire === 'tcp'
      ? net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      : tls.connect({ ...clientTls, port, host: '127.0.0.1' });
  await once(socket, wire === 'tcp' ? 'connect' : 'secureConnect');
  return socket;
}

/** Resolves when the log has a line that starts so. */
async function said(log: StreamLog, start: string): Promise<string> {
  for (;;) {
    const line = log.lines.find((one) => one.startsWith(start));
    if (line !== undefined) return line;
    await new Promise(setImmediate);
  }
}

/** Sends all of it, waiting where it has to. */
function pour(log: StreamLog, bytes: Buffer): void {
  let at = 0;
  const go = (): void => {
    while (at < bytes.length) {
      const piece = bytes.subarray(at, at + 50_000);
      at += piece.length;
      if (log.stream?.data(piece) === false) return;
    }
    log.stream?.end();
    log.onDrained = undefined;
  };
  log.onDrained = go;
  go();
}

async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

const large = Buffer.alloc(2_000_000, 'abcdefg');

describe.each(['tcp', 'tls'] as const)("Node's client on our server over %s", (wire) => {
  test('sends and gets large bodies and trailers, many at once', async () => {
    const client = await nodeAsks(wire, (log) => {
      log.onEnd = (): void => {
        log.stream?.headers(okHead, false);
        pour(log, log.bytes);
      };
    });
    const answers = Array.from({ length: 4 }, async () => {
      const request = client.request({ ':method': 'POST', 'content-length': large.length });
      request.end(large);
      return bytesOf(request);
    });
    for (const answer of await Promise.all(answers)) expect(answer.equals(large)).toBe(true);
  });

  test('runs through many streams', async () => {
    let served = 0;
    const client = await nodeAsks(wire, (log) => {
      served += 1;
      log.stream?.headers(okHead, false);
      log.stream?.text('hello');
      log.stream?.headers(h2Fields({ 'grpc-status': '0' }), true);
    });
    for (let round = 0; round < 5; round += 1) {
      const answers = Array.from({ length: 100 }, async () => {
        const request = client.request({
          ':path': '/shop.Cart/Get',
          'content-type': 'application/grpc',
          te: 'trailers',
        });
        const trailers = once(request, 'trailers');
        const body = await bytesOf(request);
        const [fields] = (await trailers) as [http2.IncomingHttpHeaders];
        return `${body.toString()} ${fields['grpc-status']}`;
      });
      expect(new Set(await Promise.all(answers))).toEqual(new Set(['hello 0']));
    }
    expect(served).toBe(500);
  });
});

describe.each(['tcp', 'tls'] as const)("our client on Node's server over %s", (wire) => {
  test('sends and gets large bodies, many at once', async () => {
    const { session } = await weAsk(wire, (stream, headers) => {
      stream.respond({ ':status': 200, 'x-method': headers[':method'] });
      stream.pipe(stream);
    });
    const logs = Array.from({ length: 4 }, () => {
      const log = new StreamLog();
      log.stream = session.request(postHead, false, log);
      pour(log, large);
      return log;
    });
    for (const log of logs) {
      await said(log, 'end');
      expect(log.bytes.equals(large)).toBe(true);
      expect(log.lines[0]).toMatch(/^headers :status=200 x-method=POST/);
    }
  });

  test('understands trailers, informational heads, HEAD and resets', async () => {
    const { session } = await weAsk(wire, (stream, headers) => {
      stream.on('error', () => undefined); // Node's end of the reset
      if (headers[':method'] === 'HEAD') {
        stream.respond({ ':status': 200, 'content-length': '5' }, { endStream: true });
      } else if (headers[':method'] === 'GET') {
        stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
      } else {
        stream.additionalHeaders({ ':status': 103, link: '<a>' });
        stream.respond({ ':status': 200 }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end('x');
      }
    });
    const ask = (fields: typeof getHead): StreamLog => {
      const log = new StreamLog();
      session.request(fields, true, log);
      return log;
    };
    const head = ask(h2Fields({ ':method': 'HEAD', ':scheme': 'http', ':authority': 'a', ':path': '/' }));
    const post = ask(postHead);
    const get = ask(getHead);
    expect(await said(head, 'headers :status=200')).toMatch(/content-length=5.* end$/);
    expect(await said(post, 'headers grpc-status')).toBe('headers grpc-status=0 end');
    expect(post.lines[0]).toBe('headers :status=103 link=<a>');
    expect(await said(get, 'reset')).toBe('reset INTERNAL_ERROR');
  });
});

describe('between our client and a server of Node', () => {
  test('a stream that Node does not read holds up no other', async () => {
    const { session } = await weAsk('tcp', (stream, headers) => {
      stream.respond({ ':status': 200 });
      if (headers[':path'] === '/slow') return; // reads nothing
      stream.end('quick');
    });
    const slow = new StreamLog();
    const path = (to: string): typeof getHead => [...postHead.slice(0, 3), ...h2Fields({ ':path': to })];
    slow.stream = session.request(path('/slow'), false, slow);
    pour(slow, large);
    const quick = new StreamLog();
    session.request(path('/quick'), true, quick);
    await said(quick, 'end');
    expect(quick.bytes.toString()).toBe('quick');
    expect(slow.stream?.unsentBytes).toBeGreaterThan(0);
  });

  test('GOAWAY of Node lets what runs come to its end', async () => {
    const lines: string[] = [];
    let answer: (() => void) | undefined;
    const closed = new Promise<void>((resolve) => {
      void weAsk(
        'tcp',
        (stream) => {
          answer = (): void => {
            stream.respond({ ':status': 200 });
            stream.end('done');
          };
          stream.session?.close();
        },
        { onGoaway: () => void lines.push('goaway'), onClosed: () => resolve() },
      ).then(async ({ session }) => {
        const log = new StreamLog();
        session.request(getHead, true, log);
        while (lines.length === 0) await new Promise(setImmediate);
        expect(session.takesStreams).toBe(false);
        answer?.();
        await said(log, 'end');
        lines.push(log.bytes.toString());
      });
    });
    await closed;
    expect(lines).toEqual(['goaway', 'done']);
  });

  test('a tunnel carries bytes of any size in both directions', async () => {
    const { session } = await weAsk('tls', (stream) => {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    });
    const log = new StreamLog();
    log.stream = session.request(connectHead, false, log);
    let total = 0;
    for (let size = 1; size < 3_000; size += 7) {
      log.stream?.data(large.subarray(total, total + size));
      total += size;
    }
    log.stream?.end();
    await said(log, 'end');
    expect(log.bytes.equals(large.subarray(0, total))).toBe(true);
  });
});

describe('a server of ours that drains', () => {
  test("lets Node's client finish, then closes", async () => {
    let ours: H2Session | undefined;
    const held: StreamLog[] = [];
    const server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
      ours = startOurs('server', new TcpPipe(socket), {
        onStream(stream) {
          const log = new StreamLog();
          log.stream = stream;
          stream.handler = log;
          held.push(log);
        },
      });
    });
    const client = http2.connect(`http://127.0.0.1:${await listening(server)}`);
    const request = client.request();
    while (held.length === 0) await new Promise(setImmediate);
    ours?.drain();
    await once(client, 'goaway');
    held[0]?.stream?.headers(okHead, false);
    held[0]?.stream?.text('last');
    held[0]?.stream?.end();
    expect((await bytesOf(request)).toString()).toBe('last');
    await once(client, 'close');
  });
});
