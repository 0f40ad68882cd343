import { createHash } from 'node:crypto';
import {
  createServer as createHttp1,
  request as request1,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import {
  connect as connect2,
  createServer as createHttp2,
  type ClientHttp2Session,
  type Http2Server,
} from 'node:http2';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listenOnLoopback, rawCall, startProxy, type Protocol, type Proxy } from './proxies.ts';

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer | readonly Buffer[];
  readonly trailers?: Record<string, string>;
}

interface Answered {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: Buffer;
  readonly trailers: Record<string, unknown>;
  readonly early: number[];
}

type Ask = (asked: Asked) => Promise<Answered>;

/** The same app in both versions: Node's compatible API of `node:http2` serves both. */
async function app(request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  const path = request.url ?? '';
  const body: Buffer[] = [];
  if (path === '/early') {
    response.writeHead(413, { 'content-length': 4 });
    response.end('late');
    return;
  }
  for await (const piece of request) body.push(piece as Buffer);
  const got = Buffer.concat(body);
  switch (path.split('?')[0]) {
    case '/empty':
      response.writeHead(204).end();
      return;
    case '/same':
      response.writeHead(304, { etag: '"1"' }).end();
      return;
    case '/hint':
      response.writeEarlyHints({ link: '</a.css>; rel=preload' });
      response.writeHead(200, { 'content-length': 2 }).end('ok');
      return;
    case '/big':
      response.writeHead(200, { 'x-digest': digest(big) });
      response.end(big);
      return;
    case '/break':
      response.writeHead(200);
      response.write('half');
      setTimeout(() => (response.socket ?? response).destroy(), 20);
      return;
    case '/trailers':
      response.writeHead(200, { trailer: 'x-sum' });
      response.write('with trailers');
      response.addTrailers({ 'x-sum': '13' });
      response.end();
      return;
    default: {
      const { method, headers, trailers } = request;
      const seen = { method, path, headers, trailers, bytes: got.length, digest: digest(got) };
      const text = JSON.stringify(seen);
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length });
      response.end(request.method === 'HEAD' ? undefined : text);
    }
  }
}

const big = Buffer.alloc(6_000_000, 'All that is gold does not glitter. ');
const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

function ask1(port: number): Ask {
  return async ({ method = 'GET', path = '/', headers = {}, body = [], trailers }) => {
    const pieces = Buffer.isBuffer(body) ? [body] : body;
    const sized = Buffer.isBuffer(body) ? { 'content-length': String(body.length) } : {};
    const chunked = pieces.length > 0 && !Buffer.isBuffer(body) ? { 'transfer-encoding': 'chunked' } : {};
    const all = { host: 'shop.test', ...sized, ...chunked, ...headers };
    const request = request1({ port, host: '127.0.0.1', method, path, headers: all, agent: false });
    const early: number[] = [];
    request.on('information', ({ statusCode }: { statusCode: number }) => early.push(statusCode));
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.once('error', reject);
    });
    if (trailers) request.addTrailers(trailers);
    for (const piece of pieces) request.write(piece);
    request.end();
    const response = await answered;
    request.on('error', () => undefined);
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part as Buffer);
    return {
      status: response.statusCode!,
      headers: response.headers,
      body: Buffer.concat(parts),
      trailers: response.trailers,
      early,
    };
  };
}

function ask2(session: ClientHttp2Session): Ask {
  return ({ method = 'GET', path = '/', headers = {}, body = [], trailers }) => {
    const pieces = Buffer.isBuffer(body) ? [body] : body;
    const sized = Buffer.isBuffer(body) ? { 'content-length': String(body.length) } : {};
    const { host = 'shop.test', ...rest } = headers;
    const head = { ':method': method, ':path': path, ':authority': host, ...sized, ...rest };
    const stream = session.request(head, { endStream: pieces.length === 0, waitForTrailers: trailers !== undefined });
    if (trailers) stream.once('wantTrailers', () => stream.sendTrailers(trailers));
    const early: number[] = [];
    return new Promise<Answered>((resolve, reject) => {
      let status = 0;
      let headersSeen: Record<string, unknown> = {};
      let trailersSeen: Record<string, unknown> = {};
      const parts: Buffer[] = [];
      stream.on('headers', (got) => early.push(Number(got[':status'])));
      stream.on('response', (got) => {
        status = Number(got[':status']);
        headersSeen = got;
      });
      stream.on('trailers', (got) => (trailersSeen = got));
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('error', reject);
      stream.on('end', () => {
        const body = Buffer.concat(parts);
        // trailers and resets come at once with the end
        setImmediate(() => resolve({ status, headers: headersSeen, body, trailers: trailersSeen, early }));
      });
      if (pieces.length > 0) pipeline(Readable.from(pieces), stream).catch(() => undefined);
    });
  };
}

const combinations: readonly (readonly [Protocol, Protocol])[] = [
  ['h1', 'h1'],
  ['h1', 'h2'],
  ['h2', 'h1'],
  ['h2', 'h2'],
];

describe.each(combinations)('a caller of %s and an app of %s', (from, to) => {
  let server: Server | Http2Server;
  let proxy: Proxy;
  let session: ClientHttp2Session | undefined;
  let ask: Ask;

  beforeAll(async () => {
    const serve = app as Parameters<typeof createHttp1>[1];
    server = to === 'h1' ? createHttp1(serve!) : createHttp2(serve as never);
    const port = await listenOnLoopback(server as Server);
    proxy = await startProxy({ from, to, appPort: port, side: 'inbound' });
    session = from === 'h2' ? connect2(`http://127.0.0.1:${proxy.port}`) : undefined;
    session?.on('error', () => undefined);
    ask = session === undefined ? ask1(proxy.port) : ask2(session);
  });

  afterAll(async () => {
    session?.destroy();
    await proxy[Symbol.asyncDispose]();
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });

  const seenBy = async (asked: Asked) => JSON.parse((await ask(asked)).body.toString());

  test('GET: the app sees who calls and whom it asks for, and nothing about the connection', async () => {
    const seen = await seenBy({ path: '/a?b=c', headers: { 'x-a': '1', 'x-mesh-identity': 'forged', cookie: 'a=1' } });
    expect(seen).toMatchObject({ method: 'GET', path: '/a?b=c', bytes: 0 });
    const host = seen.headers[':authority'] ?? seen.headers.host;
    expect(host).toBe('shop.test');
    expect(seen.headers).toMatchObject({ 'x-a': '1', 'x-mesh-identity': 'spiffe://prod.example/shop', cookie: 'a=1' });
    for (const name of ['te', 'upgrade', 'transfer-encoding', 'keep-alive']) expect(seen.headers[name]).toBe(undefined);
  });

  test('POST with a length keeps it', async () => {
    const seen = await seenBy({ method: 'POST', body: Buffer.from('hello') });
    expect(seen).toMatchObject({ bytes: 5, headers: { 'content-length': '5' } });
  });

  test('POST without a length brings all, and its trailers', async () => {
    const body = Array.from({ length: 20 }, (_, at) => Buffer.alloc(1_000, at));
    const seen = await seenBy({
      method: 'POST',
      body,
      trailers: { 'x-sum': '20000', 'x-mesh-identity': 'forged', 'content-length': '1' },
    });
    expect(seen).toMatchObject({ bytes: 20_000, digest: digest(Buffer.concat(body)), trailers: { 'x-sum': '20000' } });
    expect(Object.keys(seen.trailers)).toEqual(['x-sum']);
    expect(seen.headers['content-length']).toBe(undefined);
  });

  test('POST with 6 MB arrives whole, and so does an answer of 6 MB', async () => {
    const seen = await seenBy({ method: 'POST', body: big });
    expect(seen).toMatchObject({ bytes: big.length, digest: digest(big) });
    const { body, headers } = await ask({ path: '/big' });
    expect(digest(body)).toBe(headers['x-digest']);
  });

  test('HEAD, 204 and 304 have no content, and HEAD says the length', async () => {
    expect(await ask({ method: 'HEAD' })).toMatchObject({ status: 200, body: Buffer.alloc(0) });
    expect(Number((await ask({ method: 'HEAD' })).headers['content-length'])).toBeGreaterThan(10);
    expect(await ask({ path: '/empty' })).toMatchObject({ status: 204, body: Buffer.alloc(0) });
    expect(await ask({ path: '/same' })).toMatchObject({ status: 304, headers: { etag: '"1"' } });
  });

  test('trailers of the answer come through', async () => {
    const { body, trailers } = await ask({ path: '/trailers' });
    expect(body.toString()).toBe('with trailers');
    expect(trailers).toMatchObject({ 'x-sum': '13' });
  });

  test('103 comes before the answer (A79)', async () => {
    expect(await ask({ path: '/hint' })).toMatchObject({ status: 200, early: [103] });
  });

  test('100 comes from the app, and the body arrives (A60)', async () => {
    const asked = { method: 'POST', headers: { expect: '100-continue' }, body: Buffer.from('hello') };
    const { status, early, body } = await ask(asked);
    expect({ status, early }).toEqual({ status: 200, early: [100] });
    expect(JSON.parse(body.toString())).toMatchObject({ bytes: 5 });
  });

  test('an answer that breaks off is broken for the caller too', async () => {
    proxy.ends.length = 0;
    await expect(ask({ path: '/break' })).rejects.toThrow();
    expect(proxy.ends).toMatchObject([{ status: 200, outcome: 'cut' }]);
  });

  test('an early answer arrives whole while the body still comes', async () => {
    const endless = Readable.from(
      (function* () {
        for (let at = 0; at < 100_000; at += 1) yield Buffer.alloc(1_000);
      })(),
    );
    if (session === undefined) {
      const text = `POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1_000)}`;
      expect(await rawCall(proxy.port, text)).toMatch(/^HTTP\/1.1 413 [\s\S]*late$/);
      return;
    }
    const stream = session.request({ ':method': 'POST', ':path': '/early', ':authority': 'a' });
    pipeline(endless, stream).catch(() => undefined);
    const heard: Buffer[] = [];
    stream.on('data', (part: Buffer) => heard.push(part));
    stream.on('error', () => undefined);
    await new Promise((resolve) => void stream.once('close', resolve));
    expect(Buffer.concat(heard).toString()).toBe('late');
    expect(stream.rstCode).toBe(0);
  });

  test('50 requests at once each get their own answer', async () => {
    const seen = await Promise.all(Array.from({ length: 50 }, (_, at) => seenBy({ path: `/n${at}` })));
    expect(seen.map(({ path }) => path)).toEqual(Array.from({ length: 50 }, (_, at) => `/n${at}`));
  });
});
