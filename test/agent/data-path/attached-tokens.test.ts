import type { ServerHttp2Stream } from 'node:http2';
import { describe, expect, test } from 'vitest';
import { claimsOf, FakeTokenIssuer } from '#support/fake-issuer-of-tokens.ts';
import { ask, http2Client, startHttp2App } from '#support/h2-apps.ts';
import { send, type PairOptions } from '#support/pair-world.ts';
import { until } from '#support/until.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();
const prices = world.domain.spiffeId('prices');
const attach = { audience: undefined, scopes: [], issuer: undefined, header: 'authorization' };

interface Seen {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly rawHeaders?: readonly string[];
}

/** cart → prices, where cart attaches tokens; what prices' app saw. */
async function stage(options: PairOptions & { readonly issuer?: FakeTokenIssuer } = {}) {
  const { issuer = new FakeTokenIssuer(), ...others } = options;
  const seen: Seen[] = [];
  const appPort = await world.httpApp((request, response) => {
    seen.push({ headers: request.headers, rawHeaders: request.rawHeaders });
    request.resume().on('end', () => response.end('ok'));
  });
  const upstream = { token: attach, ...others.upstream };
  const pair = await world.pair(appPort, { issuers: { '': issuer.exchange }, ...others, upstream });
  return { ...pair, issuer, seen };
}

function tokenOf({ headers }: Seen, header = 'authorization'): string {
  return String(headers[header]).replace(/^Bearer /, '');
}

/** Whether the token is bound to the certificate by which prices knew its caller at that moment. */
function isBound(seen: Seen): boolean {
  const [, hash = ''] = /Hash=([0-9a-f]{64})/.exec(String(seen.headers['x-forwarded-client-cert'])) ?? [];
  const { cnf } = claimsOf(tokenOf(seen)) as { cnf: Record<string, string> };
  return cnf['x5t#S256'] === Buffer.from(hash, 'hex').toString('base64url');
}

describe.each(['tunnel', 'mtls'] as const)('over %s', (transport) => {
  test('the app calls, and its agent attaches a token for this callee, bound to its certificate (S16, S49)', async () => {
    const { port, seen, issuer } = await stage({ transport });
    const replies = await Promise.all(Array.from({ length: 50 }, () => send(port)));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(JSON.stringify(replies)).not.toContain('eyJ'); // the app never sees it
    expect(new Set(seen.map((each) => claimsOf(tokenOf(each))['aud']))).toEqual(new Set([prices]));
    expect(seen.every(isBound)).toBe(true);
    expect(issuer.calls.length).toBe(1); // S20
  });
});

describe('HTTP/2', () => {
  test('and gRPC carry it too, one question for all (S16, S20)', async () => {
    const seen: Seen[] = [];
    const app = await startHttp2App((stream: ServerHttp2Stream, headers) => {
      seen.push({ headers });
      stream.respond({ ':status': 200 });
      stream.end('ok');
    });
    world.onEnd(() => app.end());
    const issuer = new FakeTokenIssuer();
    const options = { protocol: 'http2', issuers: { '': issuer.exchange }, upstream: { token: attach } } as const;
    const { port, cart } = await world.pair(app.port, options);
    const session = http2Client(port);
    world.onEnd(() => session.destroy());
    const head = { ':path': '/', ':authority': 'prices', ':scheme': 'http', authorization: 'Bearer forged' };
    const call = async (): Promise<void> => {
      const replies = await Promise.all(Array.from({ length: 20 }, () => ask(session, head)));
      expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    };
    await call();
    await cart.rotate();
    await call();
    await call();
    expect(seen.length).toBe(60);
    expect(seen.every(isBound)).toBe(true);
    expect(issuer.calls.length).toBe(2);
  });
});

test('the app’s own field is removed where a route attaches, in any spelling, and kept where it does not (A48)', async () => {
  const token = { ...attach, header: 'x-access-token' };
  const { port, seen } = await stage({ upstream: { token } });
  const forged = { 'X-Access-Token': 'forged', x_access_token: 'forged', 'x.access.token': 'forged' };
  expect((await send(port, { headers: { ...forged, authorization: 'Bearer of the app' } })).status).toBe(200);
  const [only] = seen;
  expect(JSON.stringify(only)).not.toContain('forged');
  expect(claimsOf(tokenOf(only!, 'x-access-token'))['aud']).toBe(prices);
  expect(only!.headers['authorization']).toBe('Bearer of the app');
});

test('a route without a token leaves the app’s field alone, and asks nobody', async () => {
  const { port, seen, issuer } = await stage({ upstream: { token: undefined } });
  await send(port, { headers: { authorization: 'Bearer of the app' } });
  expect(seen[0]!.headers['authorization']).toBe('Bearer of the app');
  expect(issuer.calls).toEqual([]);
});

test('each route asks the issuer that it names, for its audience and scopes (S26)', async () => {
  const [own, other] = [new FakeTokenIssuer(), new FakeTokenIssuer({ issuer: 'https://other.example/' })];
  const seen: Seen[] = [];
  const appPort = await world.httpApp((request, response) => {
    seen.push({ headers: request.headers });
    response.end();
  });
  const issuers = { '': own.exchange, other: other.exchange };
  const { port, prices: callee } = await world.pair(appPort, { issuers, upstream: { token: attach } });
  const wanted = { audience: 'https://api.example/' as never, scopes: ['prices.read'], issuer: 'other' };
  const endpoints = [callee.inbound.address];
  const local = { host: '127.0.0.1', port: 0 };
  const upstream = { workload: 'prices', port: 7002, listen: local, protocol: 'http', spiffeId: prices } as const;
  const limits = { connectTimeoutMs: 2_000, timeoutMs: undefined, maxRequests: 100 };
  const cart = await world.calling(
    [{ ...upstream, ...limits, endpoints, transport: 'tunnel', token: { ...attach, ...wanted } }],
    { issuers },
  );
  await send(port);
  await send(cart.upstream.port);
  expect(seen.map((each) => claimsOf(tokenOf(each))).map(({ iss, aud, scope }) => [iss, aud, scope])).toEqual([
    ['https://sts.test.example/', prices, undefined],
    ['https://other.example/', 'https://api.example/', 'prices.read'],
  ]);
});

describe('a token is sent to nobody else', () => {
  test('a redirect goes back to the app, without the token, and what the app then calls gets none (S49, A65)', async () => {
    const outside: Seen[] = [];
    const elsewhere = await world.httpApp((request, response) => {
      outside.push({ headers: request.headers });
      response.end('elsewhere');
    });
    const appPort = await world.httpApp((_request, response) => {
      response.writeHead(307, { location: `http://127.0.0.1:${elsewhere}/` }).end();
    });
    const issuer = new FakeTokenIssuer();
    const options = { capture: 'http-proxy', unknown: 'passthrough', upstream: { token: attach } } as const;
    const { port } = await world.pair(appPort, { ...options, issuers: { '': issuer.exchange } });
    const moved = await send(port, { path: 'http://prices:7002/', headers: { host: 'prices:7002' } });
    expect(moved.status).toBe(307);
    expect(issuer.calls.length).toBe(1); // it was attached to what went to prices
    expect(outside).toEqual([]); // nobody followed
    await send(port, { path: moved.headers.location!, headers: { host: `127.0.0.1:${elsewhere}` } });
    expect(outside.length).toBe(1);
    expect(JSON.stringify([moved, outside])).not.toContain(issuer.calls[0]!.text);
    expect(outside[0]!.headers['authorization']).toBeUndefined(); // passthrough is plaintext (S45)
  });

  test('a name that looks like the upstream’s gets none (A65)', async () => {
    const { port, issuer, seen } = await stage({ capture: 'http-proxy' });
    for (const host of [
      'prices.evil.example:7002',
      'prices:7003',
      '169.254.169.254',
      '2130706433',
      '[::ffff:127.0.0.1]',
    ]) {
      expect((await send(port, { path: `http://${host}/`, headers: { host } })).status).toBe(502);
    }
    expect(issuer.calls).toEqual([]);
    expect(seen).toEqual([]);
  });

  test('a token for somebody else, whoever gave it, is not used (S49)', async () => {
    const issuer = new FakeTokenIssuer();
    issuer.mood = 'other-audience';
    const { port, seen, cart } = await stage({ issuer });
    expect((await send(port)).status).toBe(503);
    expect(seen).toEqual([]);
    expect(cart.events).toContainEqual(
      expect.objectContaining({ event: 'token.failed', reason: 'token-unusable', detail: 'wrong-audience' }),
    );
  });
});

describe('while no token can be had', () => {
  test.each([
    ['refuse', 'token-not-issued', 'invalid_target'],
    ['down', 'no-token', 'CONTROL_PLANE_UNREACHABLE'],
    ['slow', 'no-token', undefined],
  ] as const)(
    'issuer %s: a clear 503 within the connect deadline, and its reason in the log',
    async (mood, reason, detail) => {
      const issuer = new FakeTokenIssuer();
      issuer.mood = mood;
      const { port, seen, cart } = await stage({ issuer, upstream: { connectTimeoutMs: 300 } });
      const startedMs = performance.now();
      const reply = await send(port);
      expect(reply.status).toBe(503);
      expect(JSON.parse(reply.body)).toMatchObject({ title: expect.stringContaining('issuer of tokens') as string });
      expect(performance.now() - startedMs).toBeLessThan(2_000);
      expect(seen).toEqual([]);
      expect(cart.events).toContainEqual(expect.objectContaining({ event: 'outbound.failed', reason }));
      if (detail !== undefined)
        expect(cart.events).toContainEqual(expect.objectContaining({ event: 'token.failed', detail }));
      issuer.mood = 'issue';
      issuer.release();
      await expect.poll(async () => (await send(port)).status).toBe(200);
    },
  );

  test('a request with a body waits for the one question, and arrives whole', async () => {
    const issuer = new FakeTokenIssuer();
    issuer.mood = 'slow';
    const { port, seen } = await stage({ issuer });
    const body = 'x'.repeat(300_000);
    const sent = Promise.all(Array.from({ length: 10 }, () => send(port, { method: 'POST', body })));
    await until(() => issuer.calls.length === 1);
    issuer.release();
    expect((await sent).map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(seen.every(isBound)).toBe(true);
    expect(issuer.calls.length).toBe(1);
  });

  test('the last good token serves until its end', async () => {
    const { port, issuer } = await stage();
    await send(port);
    issuer.mood = 'down';
    for (let call = 0; call < 5; call += 1) expect((await send(port)).status).toBe(200);
  });
});

test('certificates are replaced under load: no request fails, each token is its connection’s (S52)', async () => {
  const { port, issuer, seen, cart } = await stage();
  let isOver = false;
  const statuses = new Map<number, number>();
  const caller = async (): Promise<void> => {
    while (!isOver) {
      const { status } = await send(port);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const callers = Promise.all(Array.from({ length: 8 }, caller));
  for (let round = 1; round <= 5; round += 1) {
    const before = seen.length;
    await until(() => seen.length > before + 20, 10_000_000);
    await cart.rotate();
  }
  const before = seen.length;
  await until(() => seen.length > before + 20, 10_000_000);
  isOver = true;
  await callers;
  expect([...statuses.keys()]).toEqual([200]);
  expect(seen.filter((each) => !isBound(each))).toEqual([]);
  expect(issuer.calls.length).toBe(6); // one for each certificate
}, 60_000);

test('no token is in any event or line of the log (A39)', async () => {
  const { port, issuer, cart, prices: callee } = await stage();
  await send(port, { path: '/?q=1' });
  issuer.mood = 'down';
  await cart.rotate();
  await send(port);
  const told = JSON.stringify([cart.events, cart.lines, callee.events, callee.lines]);
  for (const { text } of issuer.calls) if (text !== undefined) expect(told).not.toContain(text.slice(0, 40));
  expect(told).not.toContain('eyJ');
});
