import { createServer as createHttp1 } from 'node:http';
import {
  connect as connect2,
  createServer as createHttp2,
  type ClientHttp2Stream,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { connect as connectSocket, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultH2Times } from '#agent/h2/session-options.ts';
import { createH2Session } from '#agent/h2/session.ts';
import type { H2Session, H2StreamHandler } from '#agent/h2/types.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import { TcpPipe } from '#agent/pipe/tcp-pipe.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { fieldsOf } from './fields-of.ts';
import { listenOnLoopback, startProxy, type Protocol, type Proxy } from './proxies.ts';

/** A caller that may say anything: our own engine does not judge what it is told to send. */
class Attacker implements AsyncDisposable {
  readonly #ready = Promise.withResolvers<void>();
  readonly session: H2Session;

  constructor(port: number) {
    const socket = connectSocket({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    socket.pause();
    this.session = createH2Session({
      role: 'client',
      pipe: new TcpPipe(socket),
      settings: {
        windowBytes: 65_536,
        sessionWindowBytes: 1_048_576,
        maxStreams: 100,
        maxHeaderListBytes: 65_536,
        maxHeaders: 200,
        connect: 'refuse',
        unreadCeilingBytes: 1_048_576,
      },
      times: defaultH2Times,
      clock: systemClock,
      handler: {
        onStream: () => undefined,
        onReady: () => this.#ready.resolve(),
        onGoaway: () => undefined,
        onClosed: () => undefined,
      },
    });
  }

  /** `200`, or `reset 1`. */
  async ask(text: string, body?: string, trailers?: string): Promise<string> {
    await this.#ready.promise;
    return new Promise((resolve) => {
      let status = '';
      const handler: H2StreamHandler = {
        onHeaders(fields: readonly HeaderField[], end: boolean) {
          status ||= fields[0]!.value;
          if (end) resolve(status);
        },
        onData: () => undefined,
        onEnd: () => resolve(status),
        onReset: (code) => resolve(`reset ${code}`),
        onDrain: () => undefined,
      };
      const isWhole = body === undefined && trailers === undefined;
      const stream = this.session.request(fieldsOf(text), isWhole, handler)!;
      if (body !== undefined) stream.data(Buffer.from(body, 'latin1'));
      if (trailers !== undefined) stream.headers(fieldsOf(trailers), true);
      else if (!isWhole) stream.end();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.destroy(0);
  }
}

const get = ':method: GET|:scheme: http|:authority: shop.test|:path: /';
const post = get.replace('GET', 'POST');

describe.each<[Protocol]>([['h1'], ['h2']])('in front of an app of %s', (to) => {
  const asked: string[] = [];
  let server: Server | Http2Server;
  let proxy: Proxy;

  beforeAll(async () => {
    const serve = (request: { url?: string; resume(): void }, response: { end(text: string): void }): void => {
      asked.push(request.url!);
      request.resume();
      response.end('ok');
    };
    server = to === 'h1' ? createHttp1(serve as never) : createHttp2(serve as never);
    proxy = await startProxy({ from: 'h2', to, appPort: await listenOnLoopback(server as Server) });
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    server.close();
  });

  test.each([
    ['200', get],
    ['200', `${post}|content-length: 5`, 'hello'],
    ['400', `${get}|content-length: 5`, 'hello'],
    ['400', get, 'hello'],
    // A51
    ['400', `${get}|host: other.test`],
    ['400', `${get}|host: shop.test|host: shop.test`],
    ['400', get.replace('shop.test', 'shop.test:0')],
    ['400', get.replace(':authority: shop.test|', '')],
    ['reset 1', get.replace('shop.test', 'a@shop.test')],
    ['reset 1', get.replace('shop.test', 'shöp.test')],
    // A52
    ['reset 1', get.replace(':path: /', ':path: /a HTTP/1.1\r\nx: y')],
    ['reset 1', get.replace(':path: /', ':path: /a b')],
    ['reset 1', get.replace(':path: /', ':path: http://other.test/')],
    ['reset 1', get.replace('GET', 'GET / HTTP/1.1\r\nx:')],
    ['reset 1', `${get}|x: a\r\nhost: b`],
    ['reset 1', `${get}|x\r\ny: a`],
    ['reset 1', `${get}|x: a\0b`],
    ['reset 1', `${get}|X-Upper: a`],
    ['reset 1', `${post}|transfer-encoding: chunked`, 'x'],
    ['reset 1', `${get}|connection: close`],
    ['reset 1', `${get}|upgrade: h2c`],
    ['reset 1', `${get}|te: gzip`],
    ['reset 1', `${post}|content-length: 6`, 'hello'],
    ['reset 1', `${post}|content-length: 4`, 'hello'],
    ['reset 1', `${post}|content-length: 5|content-length: 5`, 'hello'],
    ['reset 1', `${post}|content_length: 5`, 'hello'],
    ['reset 1', `:path: /b|${get}`],
    ['reset 1', `${get}|:path: /b`],
    ['reset 1', get.replace('|:path: /', '')],
    ['reset 1', post, 'x', 'x-a: b|:path: /c'],
    ['reset 1', post, 'x', 'x-a: b|connection: close'],
    // A55
    ['431', `${get}${'|a: b'.repeat(250)}`],
    ['431', `${get}|a: ${'b'.repeat(70_000)}`],
    // others' business
    ['501', get.replace('GET', 'PRI')],
  ])('%s (A51, A52, A55): %j', async (answer, text, body?: string, trailers?: string) => {
    await using attacker = new Attacker(proxy.port);
    asked.length = 0;
    expect(await attacker.ask(text, body, trailers)).toBe(answer);
    expect(asked).toEqual(answer === '200' ? ['/'] : []);
    expect(await attacker.ask(get)).toBe('200'); // the session and other streams are none the worse
  });
});

/** An app that answers by the path: `/slow` never ends, `/wait` when the test says so. */
async function startApp(options: { readonly maxConcurrentStreams?: number } = {}) {
  const waiting: (() => void)[] = [];
  let bytes = 0;
  const server = createHttp2({ settings: options });
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => undefined);
    const path = headers[':path'];
    if (path === '/flood') {
      stream.respond({ ':status': 200 });
      const piece = Buffer.alloc(65_536);
      const more = (): void => {
        while (stream.writable && stream.write(piece)) bytes += piece.length;
      };
      stream.on('drain', more);
      more();
    } else if (path === '/never-reads') {
      stream.respond({ ':status': 200 });
      stream.write('go on');
    } else {
      waiting.push(() => {
        stream.respond({ ':status': 200 });
        stream.end('done');
      });
    }
  });
  const port = await listenOnLoopback(server as unknown as Server);
  return {
    port,
    waiting,
    sent: () => bytes,
    [Symbol.dispose]: () => void server.close(),
  };
}

async function bodyOf(stream: ClientHttp2Stream): Promise<string> {
  let text = '';
  for await (const part of stream.setEncoding('utf8')) text += part;
  return text;
}

/** Until the number has stood still for a while. */
async function settled(read: () => number): Promise<number> {
  let last = -1;
  for (let still = 0; still < 5;) {
    await new Promise((resolve) => void setTimeout(resolve, 20));
    still = read() === last ? still + 1 : 0;
    last = read();
  }
  return last;
}

describe('a pair', () => {
  async function startPair(appPort: number, windowBytes = 65_536) {
    const ingress = await startProxy({ from: 'h2', to: 'h2', appPort, windowBytes });
    const egress = await startProxy({ from: 'h2', to: 'h2', appPort: ingress.port, windowBytes });
    const session = connect2(`http://127.0.0.1:${egress.port}`);
    session.on('error', () => undefined);
    return {
      ingress,
      egress,
      session,
      async [Symbol.asyncDispose]() {
        session.destroy();
        await egress[Symbol.asyncDispose]();
        await ingress[Symbol.asyncDispose]();
      },
    };
  }

  test('stops an app whose caller does not read, and lets others through (A54)', async () => {
    using app = await startApp();
    await using pair = await startPair(app.port);
    const slow = pair.session.request({ ':path': '/flood' });
    slow.on('error', () => undefined);
    slow.pause();
    const sent = await settled(app.sent);
    expect(sent).toBeLessThan(2_000_000);
    const other = pair.session.request({ ':path': '/other' });
    await expect.poll(() => app.waiting.length).toBe(1);
    app.waiting[0]!();
    expect(await bodyOf(other)).toBe('done');
    let received = 0;
    slow.on('data', (part: Buffer) => (received += part.length));
    slow.resume();
    await expect.poll(() => received).toBeGreaterThan(5_000_000);
  });

  test('stops a caller whose app does not read', async () => {
    using app = await startApp();
    await using pair = await startPair(app.port);
    const stream = pair.session.request({ ':method': 'POST', ':path': '/never-reads' });
    stream.on('error', () => undefined);
    let sent = 0;
    const piece = Buffer.alloc(65_536);
    const more = (): void => {
      while (stream.write(piece)) sent += piece.length;
    };
    stream.on('drain', more);
    more();
    expect(await settled(() => sent)).toBeLessThan(2_000_000);
  });

  test('that is drained finishes what runs and takes nothing new', async () => {
    using app = await startApp();
    await using pair = await startPair(app.port);
    const goaway = new Promise((resolve) => void pair.session.once('goaway', resolve));
    const running = pair.session.request({ ':path': '/wait' });
    await expect.poll(() => app.waiting.length).toBe(1);
    for (const connection of pair.egress.connections) connection.drain();
    await goaway;
    app.waiting[0]!();
    expect(await bodyOf(running)).toBe('done');
    await new Promise((resolve) => void pair.session.once('close', resolve));
    expect(pair.egress.ends).toMatchObject([{ status: 200, outcome: 'complete' }]);
  });

  test('whose ingress is drained goes on over another session', async () => {
    using app = await startApp();
    await using pair = await startPair(app.port);
    const before = pair.session.request({ ':path': '/wait' });
    await expect.poll(() => app.waiting.length).toBe(1);
    for (const connection of pair.ingress.connections) connection.drain();
    const during = Array.from({ length: 20 }, () => pair.session.request({ ':path': '/wait' }));
    await expect.poll(() => app.waiting.length).toBe(21);
    for (const answer of app.waiting) answer();
    expect(await Promise.all([before, ...during].map(bodyOf))).toEqual(Array.from({ length: 21 }, () => 'done'));
  });

  test('that is destroyed breaks what runs, never as a clean end', async () => {
    using app = await startApp();
    await using pair = await startPair(app.port);
    const stream = pair.session.request({ ':path': '/flood' });
    await new Promise((resolve) => void stream.once('data', resolve));
    for (const connection of pair.ingress.connections) connection.destroy();
    await expect(bodyOf(stream)).rejects.toThrow();
    expect(pair.egress.ends).toMatchObject([{ status: 200, outcome: 'cut' }]);
  });

  test('lets requests wait for the app’s streams, in order, and answers all', async () => {
    using app = await startApp({ maxConcurrentStreams: 2 });
    await using pair = await startPair(app.port);
    const streams = Array.from({ length: 12 }, () => pair.session.request({ ':path': '/wait' }));
    const bodies = Promise.all(streams.map(bodyOf));
    for (let answered = 0; answered < 12; answered += 1) {
      await expect.poll(() => app.waiting.length).toBeGreaterThan(0);
      app.waiting.shift()!();
    }
    expect(await bodies).toEqual(Array.from({ length: 12 }, () => 'done'));
  });
});
