import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startReadyAgent } from '#support/agent-process.ts';
import { ask, http2Client } from '#support/h2-apps.ts';
import { createIdentityFolder } from '#support/identity-folder.ts';
import { listening } from '#support/listening.ts';
import { send } from '#support/pair-world.ts';
import { spiffeIdOf, startProcessPair, type ProcessPair } from '#support/process-pair.ts';
import { startScriptedApp, type ScriptedAnswer } from '#support/scripted-app.ts';
import { createTestCa } from '#support/test-ca.ts';

const good = (body: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const withHead = (...lines: readonly string[]): string => ['HTTP/1.1 200 OK', ...lines, '', ''].join('\r\n');

/** What an app answers, and the caller must get a 502. */
const refused: Readonly<Record<string, ScriptedAnswer>> = {
  '101 that nobody asked for': {
    bytes: `HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n`,
  },
  'status 1000': { bytes: 'HTTP/1.1 1000 Odd\r\nContent-Length: 0\r\n\r\n' },
  'status 99': { bytes: 'HTTP/1.1 99 Odd\r\nContent-Length: 0\r\n\r\n' },
  'status 600': { bytes: 'HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n' },
  'a length of 2^63 - 1': { bytes: withHead('Content-Length: 9223372036854775807') },
  'a length of 2^64': { bytes: withHead('Content-Length: 18446744073709551616') },
  'a negative length': { bytes: withHead('Content-Length: -1') },
  'two lengths': { bytes: `${withHead('Content-Length: 2', 'Content-Length: 4')}stolen` },
  'a length and chunks': { bytes: `${withHead('Content-Length: 2', 'Transfer-Encoding: chunked')}0\r\n\r\n` },
  'an unknown coding': { bytes: `${withHead('Transfer-Encoding: gzip, chunked')}0\r\n\r\n` },
  'a blank before the colon': { bytes: `${withHead('Content-Length : 2')}ok` },
  'a folded line': { bytes: `${withHead('X-A: b', ' c', 'Content-Length: 2')}ok` },
  'bare line feeds': { bytes: 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok', after: 'end' },
  'version 2.0 in its status line': { bytes: 'HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok' },
  'another protocol': { bytes: 'SSH-2.0-OpenSSH_9.2\r\n', after: 'end' },
  nothing: { bytes: '', after: 'end' },
  'half a head': { bytes: 'HTTP/1.1 200 OK\r\nContent-Le', after: 'end' },
  'a hundred interim answers': { bytes: 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(100) + good('ok') },
};

/** What breaks after its head: the caller must see that it is not whole. */
const broken: Readonly<Record<string, ScriptedAnswer>> = {
  'a length that is not reached': { bytes: `${withHead('Content-Length: 10')}half`, after: 'end' },
  'chunks without an end': { bytes: `${withHead('Transfer-Encoding: chunked')}4\r\nhalf\r\n`, after: 'end' },
  'a chunk that is too long': { bytes: `${withHead('Transfer-Encoding: chunked')}4\r\nhalf, and more\r\n0\r\n\r\n` },
  'a size that is none': { bytes: `${withHead('Transfer-Encoding: chunked')}4\r\nhalf\r\n-1\r\n\r\n` },
  'a reset before the close that would end it': { bytes: `${withHead('X-A: b')}half`, after: 'reset' },
};

const extra = good('not mine');
/** Good answers of an app that says more than it was asked. */
const talkative: Readonly<Record<string, ScriptedAnswer>> = {
  'an answer nobody asked for behind it': { bytes: good('mine') + extra },
  'bytes beyond its length': { bytes: `${good('mine')}more` },
  'a body behind 204': { bytes: `HTTP/1.1 204 No Content\r\n\r\n${extra}` },
  'a body behind 304': { bytes: `HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello${extra}` },
  'bytes behind the last chunk': { bytes: `${withHead('Transfer-Encoding: chunked')}4\r\nmine\r\n0\r\n\r\n${extra}` },
};

const informational = 'HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n';
const scripts: Readonly<Record<string, ScriptedAnswer>> = {
  ...refused,
  ...broken,
  ...talkative,
  '103 before 200': { bytes: informational + informational + good('hinted') },
  '100 that nobody asked for': { bytes: `HTTP/1.1 100 Continue\r\n\r\n${good('continued')}` },
};
const pathOf = (name: string): string => `/${encodeURIComponent(name)}`;
const names = (table: object): readonly string[] => Object.keys(table);

describe('an app that answers oddly, behind both agents', () => {
  const stack = new AsyncDisposableStack();
  let pair: ProcessPair;
  let port: number;

  beforeAll(async () => {
    const script = (path: string): ScriptedAnswer =>
      scripts[decodeURIComponent(path.slice(1))] ?? { bytes: good(path) };
    const app = stack.use(await startScriptedApp(script));
    pair = stack.use(await startProcessPair({ ports: [{ port: 7002, app: app.port, protocol: 'http' }] }));
    port = await pair.upstreamPort(7002);
  }, 30_000);
  afterAll(() => stack.disposeAsync());

  /** Many at once, over streams that were used before: each gets its own. */
  async function othersAreUnharmed(): Promise<void> {
    const paths = Array.from({ length: 20 }, (_none, index) => `/other-${index}`);
    const replies = await Promise.all(paths.map((path) => send(port, { path })));
    expect(replies.map(({ body }) => body)).toEqual(paths);
  }

  /** As an app with HTTP/2 would: rejects when the answer is reset. */
  async function sendHttp2(path: string) {
    const session = http2Client(port);
    try {
      return await ask(session, { ':path': path, ':authority': 'prices' });
    } finally {
      session.destroy();
    }
  }

  test.each(names(refused))('A79: %s: a 502, and nobody else notices', async (name) => {
    const reply = await send(port, { path: pathOf(name) });
    expect(reply).toMatchObject({ status: 502, headers: { 'content-type': 'application/problem+json' } });
    expect(await sendHttp2(pathOf(name))).toMatchObject({ status: 502 });
    await othersAreUnharmed();
  });

  test.each(names(broken))('A79, A76: %s: the caller sees a broken answer', async (name) => {
    await expect(send(port, { path: pathOf(name) })).rejects.toThrow(/aborted|reset|hang up|Parse Error/i);
    await expect(sendHttp2(pathOf(name))).rejects.toThrow(/INTERNAL_ERROR|CANCEL|reset/);
    await othersAreUnharmed();
  });

  test.each(names(talkative))('A79: %s: no caller gets another’s bytes', async (name) => {
    for (let turn = 0; turn < 5; turn += 1) {
      const reply = await send(port, { path: pathOf(name) });
      expect([200, 204, 304]).toContain(reply.status);
      expect(reply.body).toBe(reply.status === 200 ? 'mine' : '');
      await othersAreUnharmed();
    }
  });

  test('A79: 103 before 200 reaches the caller, and the answer after it', async () => {
    const sent = request({ host: '127.0.0.1', port, path: pathOf('103 before 200'), agent: false }).end();
    const hints: number[] = [];
    sent.on('information', ({ statusCode }) => hints.push(statusCode));
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    expect([response.statusCode, hints]).toEqual([200, [103, 103]]);
    response.resume();
    await once(response, 'end');
    expect(await sendHttp2(pathOf('103 before 200'))).toMatchObject({ status: 200, body: 'hinted' });
  });

  test('A79: a 100 that nobody asked for does not harm', async () => {
    expect(await send(port, { path: pathOf('100 that nobody asked for') })).toMatchObject({ body: 'continued' });
  });
});

describe('a foreign mTLS server whose answer lasts until it closes', () => {
  const stack = new AsyncDisposableStack();
  const ca = createTestCa({ nowMs: Date.now() });
  let port: number;

  beforeAll(async () => {
    const server = stack.use(await startForeignServer());
    const folder = stack.use(createIdentityFolder());
    folder.write(ca.leaf('cart'), [ca]);
    const upstream = {
      ...{ workload: 'prices', port: 7002, listen: '127.0.0.1:0', transport: 'mtls', protocol: 'http' },
      ...{ spiffeId: spiffeIdOf('prices'), endpoints: [`127.0.0.1:${server.port}`] },
    };
    const identity = { files: { dir: folder.path } };
    const config = { workload: 'cart', trustDomain: 'shop.example', identity, outbound: { upstreams: [upstream] } };
    const cart = stack.use(await startReadyAgent(config));
    port = (await cart.address('upstream prices:7002')).port;
  }, 30_000);
  afterAll(() => stack.disposeAsync());

  /** Ends as the path says, behind `half an answer`: `/close-notify`, `/fin` and `/reset` of TCP without a word of TLS. */
  async function startForeignServer() {
    const prices = ca.leaf('prices');
    const raws = new Set<Socket>();
    const server = createServer((raw) => {
      raws.add(raw);
      raw.on('error', () => undefined);
      const options = { isServer: true, requestCert: true, ALPNProtocols: ['http/1.1'] };
      const secured = new TLSSocket(raw, {
        ...options,
        ...{ cert: prices.chainPem, key: prices.keyPem, ca: ca.bundlePem },
      });
      secured.on('error', () => undefined);
      secured.once('data', (bytes: Buffer) => {
        const [, path = ''] = bytes.toString().split(' ');
        secured.write('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhalf an answer', () => {
          if (path === '/close-notify') secured.end();
          else if (path === '/fin') setTimeout(() => raw.destroySoon(), 20);
          else setTimeout(() => raw.resetAndDestroy(), 20);
        });
      });
    });
    return listening(server, () => raws.forEach((raw) => raw.destroy()));
  }

  test('A76: with close_notify it is whole', async () => {
    expect(await send(port, { path: '/close-notify' })).toMatchObject({ status: 200, body: 'half an answer' });
  });

  test.each(['fin', 'reset'])('A76: without (%s) the app sees a broken answer', async (how) => {
    await expect(send(port, { path: `/${how}` })).rejects.toThrow(/aborted|reset|hang up/i);
    const session = http2Client(port);
    await expect(ask(session, { ':path': `/${how}`, ':authority': 'prices' })).rejects.toThrow(
      /INTERNAL_ERROR|CANCEL|reset/,
    );
    session.destroy();
  });
});
