import { once } from 'node:events';
import { Agent, createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { requestsDue, send, startTraffic } from '#cli/up/traffic.ts';
import { until } from '#cli/up/until.ts';
import { systemClock } from '#runtime/system-clock.ts';

let server: Server | undefined;

afterEach(() => {
  server?.close();
  server?.closeAllConnections();
});

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

describe('requests due', () => {
  test.each([
    ['the first at once', { elapsedMs: 0, begun: 0, perSecond: 50 }, 1],
    ['the next one 20 ms later', { elapsedMs: 20, begun: 1, perSecond: 50 }, 1],
    ['none between them', { elapsedMs: 19, begun: 1, perSecond: 50 }, 0],
    ['what a short pause left out', { elapsedMs: 200, begun: 1, perSecond: 50 }, 10],
    ['no more than a second’s worth after a long pause', { elapsedMs: 60_000, begun: 1, perSecond: 50 }, 50],
    ['one every two seconds', { elapsedMs: 2_000, begun: 1, perSecond: 0.5 }, 1],
  ])('%s', (_, { elapsedMs, begun, perSecond }, due) => {
    expect(requestsDue(elapsedMs, begun, perSecond)).toBe(due);
  });
});

describe('one request', () => {
  test.each([
    ['is good on 200', (_, res) => void res.end('yes'), { kind: 'ok', text: 'yes' }],
    ['fails on 502', (_, res) => void res.writeHead(502).end('bad'), { kind: 'failed', why: '502 bad' }],
    ['fails on 302', (_, res) => void res.writeHead(302).end(), { kind: 'failed', why: '302' }],
    ['fails without an answer in time', () => undefined, { kind: 'failed', why: 'no answer in 300 ms' }],
    [
      'was reset when the connection breaks',
      (req) => void req.socket.resetAndDestroy(),
      { kind: 'reset', why: 'read ECONNRESET' },
    ],
    [
      'was reset when the answer breaks off',
      (_, res) => {
        res.writeHead(200, { 'content-length': '10' });
        res.write('abc', () => res.destroy());
      },
      { kind: 'reset', why: 'aborted' },
    ],
  ] satisfies [string, RequestListener, object][])('%s', async (_, listener, outcome) => {
    const url = await serve(listener);
    expect(await send({ url, perSecond: 1, deadlineMs: 300 }, new Agent(), systemClock)).toEqual(outcome);
  });

  test('fails where nobody listens', async () => {
    const url = await serve(() => undefined);
    server?.close();
    expect(await send({ url, perSecond: 1, deadlineMs: 300 }, new Agent(), systemClock)).toMatchObject({
      kind: 'failed',
    });
  });
});

test('steady traffic counts every request once and finishes what is under way', async () => {
  let served = 0;
  const url = await serve((_, res) => void res.writeHead((served += 1) % 10 === 0 ? 500 : 200).end());
  const failures: string[] = [];
  let answers = 0;
  const traffic = startTraffic([{ url, perSecond: 200, deadlineMs: 5_000 }], {
    clock: systemClock,
    onAnswer: () => (answers += 1),
    onFailure: (_, why) => failures.push(why),
  });
  const enough = () => traffic.count.requests >= 40;
  expect(await until(enough, { deadlineMs: 10_000, clock: systemClock, signal: new AbortController().signal })).toBe(
    true,
  );
  await traffic.stop();
  const { requests, failed, resets } = traffic.count;
  expect(requests).toBe(served);
  expect(failed).toBe(Math.floor(served / 10));
  expect(resets).toBe(0);
  expect(failures.length).toBe(failed);
  expect(answers).toBe(requests - failed);
});
