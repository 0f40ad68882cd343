import { once } from 'node:events';
import http2, { type ClientHttp2Session, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import net, { type AddressInfo, type Socket } from 'node:net';
import tls from 'node:tls';
import { afterEach } from 'vitest';
import { defaultH2Times } from '#agent/h2/session-options.ts';
import { createH2Session } from '#agent/h2/session.ts';
import type { H2Session, H2SessionHandler } from '#agent/h2/types.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { TcpPipe } from '#agent/pipe/tcp-pipe.ts';
import { TlsPipe } from '#agent/pipe/tls-pipe.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { StreamLog, testH2Settings } from './h2-raw.ts';
import { createTestCa } from './test-ca.ts';

const ca = createTestCa({ nowMs: Date.now() });
const leaf = ca.leaf('cart');
const serverTls = { key: leaf.keyPem, cert: leaf.chainPem, ALPNProtocols: ['h2'] };
const clientTls = { ca: ca.bundlePem, checkServerIdentity: () => undefined, ALPNProtocols: ['h2'] };

const closers: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

export async function listening(server: net.Server | tls.Server | Http2Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

export function startOurs(role: 'client' | 'server', pipe: Pipe, handler: Partial<H2SessionHandler>): H2Session {
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
export async function nodeAsks(wire: 'tcp' | 'tls', serve: (log: StreamLog) => void): Promise<ClientHttp2Session> {
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
export async function weAsk(
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
export async function said(log: StreamLog, start: string): Promise<string> {
  for (;;) {
    const line = log.lines.find((one) => one.startsWith(start));
    if (line !== undefined) return line;
    await new Promise(setImmediate);
  }
}

/** Sends all of it, waiting where it has to. */
export function pour(log: StreamLog, bytes: Buffer): void {
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

export async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Larger than any window. */
export const large = Buffer.alloc(2_000_000, 'abcdefg');
