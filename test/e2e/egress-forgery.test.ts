import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startHttpApp, startTcpApp, type TcpApp } from '#support/apps.ts';
import { ask, http2Client } from '#support/h2-apps.ts';
import { sendRaw } from '#support/pair-world.ts';
import { startProcessPair, type ProcessPair } from '#support/process-pair.ts';
import { startScriptedApp } from '#support/scripted-app.ts';

/** Ways to name this machine, or the metadata service of a cloud. `{PORT}`: where somebody listens who must hear nothing. */
const places = [
  ...['127.0.0.1:{PORT}', 'localhost:{PORT}', 'LOCALHOST.:{PORT}', '[::1]:{PORT}', '[::ffff:127.0.0.1]:{PORT}'],
  ...['[::ffff:7f00:1]:{PORT}', '2130706433:{PORT}', '0x7f000001:{PORT}', '017700000001:{PORT}', '127.1:{PORT}'],
  ...['0.0.0.0:{PORT}', '[::]:{PORT}', '127.0.0.1.nip.io:{PORT}', 'localtest.me:{PORT}'],
  ...['169.254.169.254', '169.254.169.254:80', '2852039166', '0xa9fea9fe', '[::ffff:169.254.169.254]:80'],
  ...['[::ffff:a9fe:a9fe]', 'metadata.google.internal', '[fd00:ec2::254]:80'],
  ...['prices.evil.example:7002', 'prices:7003', 'orders:7002', 'prices:{PORT}'],
];
/** Not even a name. */
const oddities = [
  'prices:7002@127.0.0.1:{PORT}',
  'prices:7002#@127.0.0.1:{PORT}',
  'prices%00:7002',
  'prices:07002',
  '',
];

describe('an app that is tricked into asking its HTTP proxy for somebody else', () => {
  const stack = new AsyncDisposableStack();
  let secret: TcpApp;
  let pair: ProcessPair;
  let proxy: number;
  let redirects: number;

  beforeAll(async () => {
    secret = stack.use(await startTcpApp((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret')));
    const app = stack.use(await startHttpApp());
    const elsewhere = `http://127.0.0.1:${secret.address.port}/`;
    const redirecting = stack.use(
      await startScriptedApp(() => ({
        bytes: `HTTP/1.1 302 Found\r\nLocation: ${elsewhere}\r\nContent-Length: 0\r\n\r\n`,
      })),
    );
    pair = stack.use(
      await startProcessPair({
        httpProxy: true,
        ports: [
          { port: 7002, app: app.address.port, protocol: 'http' },
          { port: 7009, app: redirecting.port, protocol: 'http' },
        ],
      }),
    );
    proxy = (await pair.cart.address('http-proxy')).port;
    redirects = await pair.upstreamPort(7009);
  }, 30_000);
  afterAll(() => stack.disposeAsync());

  const rest = 'Authorization: Bearer token\r\nConnection: close\r\n\r\n';
  const outcome = (answer: string) => ({
    isRefused: /^HTTP\/1\.1 (400|403|404|502) /.test(answer),
    saysSecret: answer.includes('secret'),
    dialled: secret.accepted.length,
  });
  const refused = { isRefused: true, saysSecret: false, dialled: 0 };
  const withPort = (place: string): string => place.replace('{PORT}', String(secret.address.port));

  test('the workload itself is reached', async () => {
    const answer = await sendRaw(proxy, `GET http://prices:7002/x HTTP/1.1\r\nHost: prices:7002\r\n${rest}`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*"url":"\/x"/);
  });

  test.each([...places, ...oddities])('A65: %s is nobody that may be asked', async (name) => {
    const place = withPort(name);
    expect(
      outcome(await sendRaw(proxy, `GET http://${place}/latest/meta-data/ HTTP/1.1\r\nHost: ${place}\r\n${rest}`)),
    ).toEqual(refused);
    expect(outcome(await sendRaw(proxy, `CONNECT ${place} HTTP/1.1\r\nHost: ${place}\r\n\r\n`))).toEqual(refused);
  });

  test.each(places)('A65: nor over HTTP/2: %s', async (name) => {
    const session = http2Client(proxy);
    const asked = ask(session, { ':path': '/latest/meta-data/', ':authority': withPort(name) });
    const reply = await asked.catch(() => ({ status: 400, body: '' })); // reset: no name at all
    session.destroy();
    expect([400, 403, 404, 502]).toContain(reply.status);
    expect(secret.accepted).toHaveLength(0);
  });

  test.each(places)('A65: a Host of %s does not lead there', async (name) => {
    const place = withPort(name);
    const lines = `Host: ${place}\r\n${rest}`;
    expect(outcome(await sendRaw(proxy, `GET http://prices:7002/ HTTP/1.1\r\n${lines}`))).toEqual(refused);
    expect(outcome(await sendRaw(proxy, `GET / HTTP/1.1\r\n${lines}`))).toEqual(refused);
  });

  test('A65: an app that redirects there is not followed', async () => {
    const answer = await sendRaw(redirects, `GET / HTTP/1.1\r\nHost: prices\r\n${rest}`);
    expect(answer).toMatch(/^HTTP\/1\.1 302 Found\r\n/);
    expect(secret.accepted).toHaveLength(0);
  });
});
