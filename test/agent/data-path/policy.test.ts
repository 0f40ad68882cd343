import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { http2Client, startHttp2App } from '#support/h2-apps.ts';
import { ourDetails, readStatusDetails } from '#support/interop/status-details.ts';
import { send, sendRaw } from '#support/pair-world.ts';
import { gone, policy } from '#support/pushed-policies.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

const cart = () => world.domain.spiffeId('cart').slice('spiffe://'.length);
const reads = () =>
  policy(`{ rules: [{ from: [{ source: { principals: [${cart()}] } }],
    to: [{ operation: { methods: [GET], paths: ['/prices/{id}', '/live'] } }] }] }`);
const shut = () => policy(`{ action: DENY, rules: [{ from: [{ source: { principals: [${cart()}] } }] }] }`, 'shut');
const others = policy('{ rules: [{ from: [{ source: { principals: [test.example/ns/default/sa/orders] } }] }] }');

describe('pushed documents decide about each request', () => {
  test.each(['http', 'http2', 'auto'] as const)(
    'by method and path, to an app that is declared %s',
    async (protocol) => {
      const heard: string[] = [];
      const http2App = async (): Promise<number> => {
        const app = await startHttp2App((stream, headers) => {
          heard.push(String(headers[':path']));
          stream.respond({ ':status': 200 });
          stream.end();
        });
        world.onEnd(() => app.end());
        return app.port;
      };
      const httpApp = (): Promise<number> =>
        world.httpApp((incoming, reply) => {
          heard.push(incoming.url ?? '');
          reply.end();
        });
      const { port, prices } = await world.pair(protocol === 'http2' ? await http2App() : await httpApp(), {
        protocol,
        allow: [],
      });
      expect((await send(port, { path: '/prices/7' })).status).toBe(403);
      prices.push(reads());
      expect((await send(port, { path: '/prices/7?currency=EUR' })).status).toBe(200);
      expect(
        (await send(port, { path: '/x/../prices/%37' })).status,
        'A56: decided on and delivered in one spelling',
      ).toBe(200);
      expect((await send(port, { path: '/prices/7/history' })).status).toBe(403);
      expect((await send(port, { path: '/prices/7', method: 'DELETE' })).status).toBe(403);
      expect(heard).toEqual(['/prices/7?currency=EUR', '/prices/7']);
      expect(prices.events).toContainEqual(
        expect.objectContaining({ event: 'inbound.denied', reason: 'no-rule-matches' }),
      );
    },
  );

  test('S87: an upload is refused at its head, and no byte of it reaches the app', async () => {
    let bytes = 0;
    const app = await world.httpApp((incoming) => incoming.on('data', (piece: Buffer) => (bytes += piece.length)));
    const { port, prices } = await world.pair(app, { allow: [] });
    prices.push(reads());
    for (const expects of [undefined, '100-continue']) {
      const headers = { 'content-length': 1_000_000_000, ...(expects && { expect: expects }) };
      const upload = request({ port, host: '127.0.0.1', method: 'POST', path: '/prices/1', headers });
      upload.on('error', () => undefined);
      upload.write(Buffer.alloc(100_000));
      const [reply] = (await once(upload, 'response')) as [IncomingMessage];
      expect(reply.statusCode).toBe(403);
      upload.destroy();
    }
    const session = http2Client(port);
    world.onEnd(() => session.destroy());
    const stream = session.request({ ':method': 'POST', ':path': '/prices/1', 'content-length': '1000000000' });
    stream.on('error', () => undefined).write(Buffer.alloc(100_000));
    expect((await once(stream, 'response'))[0]).toMatchObject({ ':status': 403 });
    expect(bytes).toBe(0);
  });

  test('each refusal can be explained by its ID, by the rules as they stood (M8)', async () => {
    const app = await world.httpApp((_, reply) => reply.end());
    const { port, prices } = await world.pair(app, { allow: [] });
    prices.push(reads());
    const refused = await send(port, { path: '/prices/7', method: 'DELETE', headers: { 'x-env': 'test' } });
    prices.push(shut());
    const told = prices.decision(String(refused.headers['x-eastwest-decision']));
    expect(told).toMatchObject({
      reason: 'no-rule-matches',
      explanation: {
        request: { method: 'DELETE', path: '/prices/7' },
        policies: [{ policy: 'default/rules', rules: [{ failed: [{ has: ['DELETE'] }] }] }],
        suggestion: { edits: [{}] },
      },
    });
    expect(prices.decision('unknown')).toBeUndefined();
    const long = await send(port, { path: `/${'x'.repeat(5_000)}` });
    expect(long.status).toBe(403);
    expect(prices.decision(String(long.headers['x-eastwest-decision'])), 'too long to be kept').toBeUndefined();
  });

  test('a header counts as the app gets it: none that is left out on the way, none that only agents set (A48)', async () => {
    const told: unknown[] = [];
    const app = await world.httpApp((incoming, reply) => {
      told.push(incoming.headers['x-tenant']);
      reply.end();
    });
    const { port, prices } = await world.pair(app, { allow: [], protocol: 'http', upstream: { protocol: 'tcp' } });
    const when = (name: string, value: string) =>
      policy(`{ rules: [{ when: [{ key: 'request.headers[${name}]', values: ['${value}'] }] }] }`, name);
    expect(() => prices.push(when('x-forwarded-client-cert', '*'))).toThrow('no rule ever sees it');
    prices.push(when('x-tenant', 'a'));
    expect((await send(port, { headers: { 'x-tenant': 'a' } })).status).toBe(200);
    expect((await send(port, { headers: { 'x-tenant': 'a', connection: 'close, x-tenant' } })).status).toBe(403);
    expect(told).toEqual(['a']);
  });

  test('a header counts in every spelling that some apps take for it, and is delivered as it came (A48)', async () => {
    const told: string[] = [];
    const app = await world.httpApp((incoming, reply) => {
      told.push(
        incoming.rawHeaders.filter((_, index) => index % 2 === 0 && /env/i.test(incoming.rawHeaders[index]!)).join(),
      );
      reply.end();
    });
    const { port, prices } = await world.pair(app, { allow: [], protocol: 'http', upstream: { protocol: 'tcp' } });
    const statusOf = async (...lines: string[]): Promise<string> => {
      const asked = ['GET / HTTP/1.1', 'Host: a', 'Connection: close', ...lines, '', ''].join('\r\n');
      return (await sendRaw(port, asked)).slice(9, 12);
    };
    const when = (values: string) => `{ key: 'request.headers[x-env]', ${values} }`;
    prices.push(
      policy(`{ action: DENY, rules: [{ when: [${when('values: [test]')}] }] }`) + policy('{ allow: all }', 'all'),
    );
    for (const line of ['X-Env: test', 'X_Env: test', 'x.env: test']) expect(await statusOf(line), line).toBe('403');
    expect(await statusOf('X-Env: prod', 'X_Env: test')).toBe('403');
    expect(await statusOf('X_Env: prod', 'X-Envy: test')).toBe('200');
    expect(told).toEqual(['X_Env,X-Envy']);
    prices.push(policy(`{ rules: [{ when: [${when('values: [prod]')}] }] }`));
    expect(await statusOf('X-Env: prod', 'x_env: test'), 'of two, both must be admitted').toBe('403');
    expect(await statusOf('X-Env: prod')).toBe('200');
  });
});

describe('what runs ends within a second once it is not allowed any more, and nothing else does (A45, A46)', () => {
  const ms = 1_000;

  test('a request without an answer gets 403, one that is being answered is cut', async () => {
    const app = await world.httpApp((incoming, reply) => {
      if (incoming.url === '/half') reply.write('half');
    });
    const { port, prices } = await world.pair(app);
    const waiting = send(port, { path: '/silent' });
    const asked = request({ port, host: '127.0.0.1', path: '/half' }).on('error', () => undefined);
    const [half] = (await once(asked.end(), 'response')) as [IncomingMessage];
    const halfGone = gone(half);
    await expect.poll(() => prices.counters.inboundRequests).toBe(2);
    const before = performance.now();
    prices.push(shut());
    expect((await waiting).status).toBe(403);
    await halfGone;
    expect(half.complete).toBe(false);
    expect(performance.now() - before).toBeLessThan(ms);
    const decisionId = expect.any(String) as string;
    await expect
      .poll(() => prices.lines.toSorted((a, b) => String(a['path']).localeCompare(String(b['path']))))
      .toMatchObject([
        { path: '/half', outcome: 'cut', decisionId },
        { path: '/silent', outcome: 'denied', decisionId },
      ]);
  });

  test.each([
    ['WebSocket', 'http', 'GET /live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'],
    ['TCP stream', 'tcp', 'hello'],
    ['stream that was found to be opaque', 'auto', '\0'],
  ] as const)('a %s is closed', async (_what, protocol, begins) => {
    const accept = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
    const app = await world.tcpApp(
      (socket) => void socket.once('data', () => socket.write(protocol === 'http' ? accept : 'hello')),
    );
    const { port, prices } = await world.pair(app, { protocol });
    const caller = connect(port, '127.0.0.1').on('error', () => undefined);
    caller.write(begins);
    await once(caller, 'data');
    await expect.poll(() => prices.counters.inboundOpenStreams).toBe(1);
    prices.push(others);
    expect(prices.counters.inboundOpenStreams, 'other rules than those about cart end nothing').toBe(1);
    const before = performance.now();
    prices.push(shut());
    await gone(caller);
    expect(performance.now() - before).toBeLessThan(ms);
    expect(prices.counters.inboundOpenStreams).toBe(0);
    const denied = prices.events.find(({ event }) => event === 'inbound.denied') as { decisionId: string };
    expect(prices.lines, 'not to be taken for a caller that left').toMatchObject([
      { outcome: 'cut', decisionId: denied.decisionId },
    ]);
  });

  test('a gRPC stream ends with a status', async () => {
    const app = await startHttp2App((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.write(Buffer.alloc(5));
    });
    world.onEnd(() => app.end());
    const { port, prices, cart: calling } = await world.pair(app.port, { protocol: 'http2' });
    const session = http2Client(port);
    world.onEnd(() => session.destroy());
    const call = {
      ':method': 'POST',
      ':path': '/shop.Prices/Watch',
      'content-type': 'application/grpc',
      te: 'trailers',
    };
    const stream = session.request(call);
    const trailers = once(stream, 'trailers');
    stream.resume();
    await once(stream, 'response');
    const before = performance.now();
    prices.push(shut());
    const [told] = (await trailers) as [Record<string, string>];
    expect(performance.now() - before).toBeLessThan(ms);
    expect(told).toMatchObject({ 'grpc-status': '7', 'x-eastwest-decision': expect.stringMatching(/^\S{8,}$/) });
    const decisionId = told['x-eastwest-decision']!;
    expect(prices.events).toContainEqual(expect.objectContaining({ event: 'inbound.denied', decisionId }));
    const { details } = readStatusDetails(Buffer.from(told['grpc-status-details-bin'] ?? '', 'base64'));
    expect(details).toEqual(ourDetails('PERMISSION_DENIED', decisionId));
    await expect.poll(() => calling.lines).toMatchObject([{ grpcStatus: 7, decisionId }]); // in the caller's log too
  });

  test('a stream whose session proves a certificate that a deny list names', async () => {
    const app = await world.tcpApp((socket) => void socket.pipe(socket));
    const { port, cart: caller, prices } = await world.pair(app, { protocol: 'tcp' });
    const stream = connect(port, '127.0.0.1').on('error', () => undefined);
    stream.write('a');
    await once(stream, 'data');
    const next = await world.domain.identity('cart', 60_000);
    prices.push(`apiVersion: eastwest.dev/v1
kind: DenyList
metadata: { namespace: default, name: lost }
spec: { entries: [{ serial: '${next.svid.serialHex}', reason: lost key }] }
`);
    expect(prices.counters.inboundOpenStreams).toBe(1);
    const before = performance.now();
    caller.store.replace(next);
    await gone(stream);
    expect(performance.now() - before).toBeLessThan(ms);
  });

  test('a stream whose certificate has expired lives on as whenExpired says, whatever else changes', async () => {
    const app = await world.tcpApp((socket) => void socket.pipe(socket));
    const { port, prices } = await world.pair(app, { protocol: 'tcp', lifeMs: 2_000 });
    const caller = connect(port, '127.0.0.1').on('error', () => undefined);
    world.onEnd(() => caller.destroy());
    caller.write('a');
    await once(caller, 'data');
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    prices.push(others);
    caller.write('b');
    expect(String((await once(caller, 'data'))[0])).toBe('b');
  });

  test('a caller on a deny list is out, also on the connection that it has', async () => {
    const app = await world.httpApp((_, reply) => reply.end());
    const { port, prices } = await world.pair(app);
    expect((await send(port)).status).toBe(200);
    prices.push(`apiVersion: eastwest.dev/v1
kind: DenyList
metadata: { namespace: default, name: lost }
spec: { entries: [{ spiffeId: '${world.domain.spiffeId('cart')}', reason: lost laptop }] }
`);
    expect((await send(port)).status).toBe(403);
    expect(prices.events).toContainEqual(
      expect.objectContaining({ event: 'inbound.denied', reason: 'denied-by-list', rule: 'lost laptop' }),
    );
    prices.push('');
    expect((await send(port)).status).toBe(200);
  });
});
