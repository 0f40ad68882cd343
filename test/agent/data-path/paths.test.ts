import { afterEach, describe, expect, test } from 'vitest';
import { ask, http2Client, startHttp2App } from '#support/h2-apps.ts';
import { sendRaw, type Pair } from '#support/pair-world.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();
const heard: string[] = [];
afterEach(() => heard.splice(0));

/** The status that a caller gets for that target; `reset` where HTTP/2 resets its stream. */
type Send = (port: number, method: string, target: string) => Promise<number | 'reset'>;

const byHttp1: Send = async (port, method, target) => {
  const answer = await sendRaw(port, `${method} ${target} HTTP/1.1\r\nHost: prices\r\nConnection: close\r\n\r\n`);
  const status = Number(answer.slice(9, 12));
  if (status === 400) expect(answer).toMatch(/\r\ncontent-type: application\/problem\+json\r\n/i);
  return status;
};
const byHttp2: Send = async (port, method, target) => {
  const session = http2Client(port);
  world.onEnd(() => session.destroy());
  try {
    const reply = await ask(session, { ':method': method, ':path': target, ':authority': 'prices' });
    if (reply.status === 400) expect(reply.headers['content-type']).toBe('application/problem+json');
    return reply.status;
  } catch {
    return 'reset';
  }
};

/** An app of HTTP/1.1 or of HTTP/2 that keeps the targets it hears, behind two agents. */
async function behindAgents(protocol: 'http' | 'http2'): Promise<Pair> {
  const hear = (target: string | undefined): void => void heard.push(target ?? '');
  if (protocol === 'http') {
    const app = await world.httpApp((incoming, reply) => {
      hear(incoming.url);
      reply.end();
    });
    return world.pair(app, { protocol });
  }
  const app = await startHttp2App((stream, headers) => {
    hear(headers[':path']);
    stream.respond({ ':status': 200 }, { endStream: true });
  });
  world.onEnd(() => app.end());
  return world.pair(app.port, { protocol });
}

const ways = [
  ['HTTP/1.1', 'http', byHttp1],
  ['HTTP/2', 'http', byHttp2],
  ['HTTP/1.1', 'http2', byHttp1],
  ['HTTP/2', 'http2', byHttp2],
] as const;

describe.each(ways)('the tricks of A56 by %s to an app of protocol %s', (_, protocol, send) => {
  const delivered = [
    ['GET', '//prices', '/prices'],
    ['GET', '/prices/./1', '/prices/1'],
    ['GET', '/orders/../prices', '/prices'],
    ['GET', '/orders/%2e%2e/prices', '/prices'],
    ['GET', '/%70rices', '/prices'],
    ['GET', '/prices%3bv=1', '/prices%3Bv=1'],
    ['GET', '/prices;v=1', '/prices;v=1'],
    ['GET', '/Prices', '/Prices'],
    ['GET', '/prices/', '/prices/'],
    ['GET', '/prices//?next=//../%2e%2F%00', '/prices/?next=//../%2e%2F%00'],
    ['OPTIONS', '*', '*'],
  ] as const;

  test('are delivered to the path that was decided on, with the query as it came', async () => {
    const { port, prices } = await behindAgents(protocol);
    for (const [method, target] of delivered) expect(await send(port, method, target), target).toBe(200);
    expect(heard).toEqual(delivered.map(([, , text]) => text));
    const decided = delivered.map(([, , text]) => text.split('?')[0]);
    await expect.poll(() => prices.lines.map(({ path }) => path)).toEqual(decided);
  });

  const refused = [
    ['/prices%2f1', 'encoded-slash'],
    ['/orders/..%2Fprices', 'encoded-slash'],
    ['/prices%5c1', 'backslash'],
    ['/prices\\1', 'backslash'],
    ['/prices%00', 'encoded-nul'],
    ['/orders/%252e%252e/prices', 'double-encoding'],
    ['/prices%', 'bad-percent-encoding'],
    ['/orders/%c0%ae%c0%ae/prices', 'not-utf8'],
    ['/orders/..;/prices', 'dot-segment-with-parameters'],
    ['/../prices', 'above-root'],
    ['/%2e%2e/prices?x', 'above-root'],
  ] as const;

  test('or answered 400, each by its name in the log, and the app hears nothing', async () => {
    const { port, prices } = await behindAgents(protocol);
    for (const [target] of refused) expect(await send(port, 'GET', target), target).toBe(400);
    expect(heard).toEqual([]);
    const events = prices.events.filter(({ event }) => event === 'inbound.refused');
    expect(events).toMatchObject(refused.map(([, reason]) => ({ reason, port: 7002 })));
    expect(prices.counters).toMatchObject({ inboundRequests: refused.length, inboundDenied: refused.length });
    expect([...prices.counters.inbound.failures.keys()]).toEqual(['bad-request']);
    expect(prices.lines).toMatchObject(refused.map(() => ({ status: 400, outcome: 'denied' })));
  });

  test.each(['/prices#x', '/caf\xe9', '*'])(
    '%j is no target: it does not even leave the caller’s agent',
    async (target) => {
      const { port, prices } = await behindAgents(protocol);
      expect([400, 'reset']).toContain(await send(port, 'GET', target));
      expect(heard).toEqual([]);
      expect(prices.counters.inboundRequests).toBe(0);
    },
  );
});

test('a head that is repeated goes where it went before, another one where it says (A56)', async () => {
  const { port, prices } = await behindAgents('http');
  const head = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: prices\r\n\r\n`;
  const last = head('/a/../prices/1').replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
  const answers = await sendRaw(port, `${head('/a/../prices/1').repeat(3)}${head('/prices//2').repeat(2)}${last}`);
  expect(answers.match(/HTTP\/1\.1 200/g)).toHaveLength(6);
  expect(heard).toEqual(['/prices/1', '/prices/1', '/prices/1', '/prices/2', '/prices/2', '/prices/1']);
  expect(prices.counters).toMatchObject({ inboundRequests: 6, inboundDenied: 0 });
});

test('a gRPC caller is told INVALID_ARGUMENT', async () => {
  const { port } = await behindAgents('http2');
  const session = http2Client(port);
  world.onEnd(() => session.destroy());
  const call = {
    ':method': 'POST',
    ':path': '/shop.Prices/%2e%2e/..;/Get',
    'content-type': 'application/grpc',
    te: 'trailers',
  };
  const reply = await ask(session, call, '');
  expect(reply).toMatchObject({ status: 200, headers: { 'grpc-status': '3' } });
  expect(heard).toEqual([]);
});
