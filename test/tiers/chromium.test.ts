import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { lacks } from '#support/needs.ts';
import { startProcessPair, type ProcessPair } from '#support/process-pair.ts';

/** What the page found out, in the browser. */
interface Found {
  readonly echoed: readonly number[];
  readonly binaryBytes: number;
  readonly closed: { readonly code: number; readonly reason: string; readonly wasClean: boolean };
  readonly fetched: string;
}

/** Without sandbox and GPU it runs as root in a container; the others keep it from asking anybody but us. */
const flags = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-extensions'],
];
const sizes = [1, 125, 126, 65_535, 65_536, 300_000];

describe.skipIf(lacks('Chromium’s WebSocket', 'chromium'))('Chromium through both agents', () => {
  const stack = new AsyncDisposableStack();
  let app: Awaited<ReturnType<typeof startPageApp>>;
  let pair: ProcessPair;

  beforeAll(async () => {
    app = stack.use(await startPageApp());
    pair = stack.use(await startProcessPair({ ports: [{ port: 7002, app: app.port, protocol: 'auto' }] }));
  }, 30_000);
  afterAll(() => stack.disposeAsync());

  test('gets a page, talks over a WebSocket with compression, and closes it in order', async () => {
    const profile = mkdtempSync(join(tmpdir(), 'eastwest-chromium-'));
    const page = `http://127.0.0.1:${await pair.upstreamPort(7002)}/`;
    const child = spawn('chromium', [...flags, `--user-data-dir=${profile}`, page], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    try {
      const late = new Promise<never>((_resolve, reject) => {
        setTimeout(() => reject(new Error('no word from the page')), 40_000).unref();
      });
      const found = await Promise.race([app.found, late]);
      expect(found.echoed).toEqual(sizes);
      expect(found.binaryBytes).toBe(1_000_000);
      expect(found.closed).toEqual({ code: 4_001, reason: 'enough', wasClean: true });
      expect(found.fetched).toBe('y'.repeat(100_000));
      expect(app.extensions(), 'what was offered reached the app').toContain('permessage-deflate');
    } finally {
      child.kill('SIGKILL');
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    }
    await expect.poll(async () => (await pair.cart.status()).counters.openStreams).toBe(0);
    expect((await pair.cart.status()).counters).toMatchObject({ failed: 0, resets: 0 });
  }, 60_000);
});

/** Serves a page that tries a WebSocket and says what came of it, and the WebSocket. */
async function startPageApp() {
  const found = Promise.withResolvers<Found>();
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.url === '/large') response.end('y'.repeat(100_000));
    else if (request.url === '/found') {
      let text = '';
      request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      request.once('end', () => {
        response.end();
        found.resolve(JSON.parse(text) as Found);
      });
    } else response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(`<script>${script}</script>`);
  };
  const server = createServer(serve).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new WebSocketServer({ server, perMessageDeflate: true });
  let extensions = '';
  sockets.on('connection', (socket, { headers }) => {
    extensions = String(headers['sec-websocket-extensions']);
    socket.on('message', (data, isBinary) => socket.send(data as Buffer, { binary: isBinary }));
  });
  return {
    port: (server.address() as AddressInfo).port,
    found: found.promise,
    extensions: () => extensions,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

const script = `
const sizes = ${JSON.stringify(sizes)};
const socket = new WebSocket('ws://' + location.host + '/socket');
socket.binaryType = 'arraybuffer';
const echoed = [];
let binaryBytes = 0;
socket.onopen = () => {
  for (const size of sizes) socket.send('x'.repeat(size));
  socket.send(new Uint8Array(1000000).map((_none, index) => (index * 7919) >> 3));
};
socket.onmessage = ({ data }) => {
  if (typeof data === 'string') echoed.push(data.length);
  else {
    binaryBytes = data.byteLength;
    socket.close(4001, 'enough');
  }
};
socket.onclose = async ({ code, reason, wasClean }) => {
  const fetched = await (await fetch('/large')).text();
  await fetch('/found', { method: 'POST', body: JSON.stringify({ echoed, binaryBytes, closed: { code, reason, wasClean }, fetched }) });
};
`;
