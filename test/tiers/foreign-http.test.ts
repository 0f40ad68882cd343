import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultLimits } from '#agent/defaults.ts';
import { startServingAgentProcess, type ServingAgentProcess } from '#support/serving-agent.ts';
import { lacks } from '#support/needs.ts';
import { lacksOpenssl3, runProgram, type Ran } from '#support/programs.ts';

const what = 'openssl and curl as HTTP callers';
const self = 'spiffe://shop.example/ns/default/sa/prices';
const cart = 'spiffe://shop.example/ns/default/sa/cart';
const forged = 'URI=spiffe://shop.example/ns/default/sa/admin';

describe.skipIf(lacks(what, 'openssl', 'curl') || lacksOpenssl3(what))('curl and openssl as HTTP callers', () => {
  let prices: ServingAgentProcess;
  let slowHead: Promise<Ran & { readonly tookMs: number }>;

  beforeAll(async () => {
    prices = await startServingAgentProcess();
    slowHead = sendHalfAHead(prices);
  });
  afterAll(() => prices[Symbol.asyncDispose]());

  const curl = (caller: string, ...args: readonly string[]) => {
    const own = prices.pem.curl(prices.ca.leaf(caller), prices.ca);
    return runProgram('curl', ['-sS', '-k', '--max-time', '20', ...own, ...args]);
  };
  const raw = (caller: string, request: string) => {
    const own = prices.pem.openssl(prices.ca.leaf(caller), prices.ca);
    const to = ['-connect', `127.0.0.1:${prices.inbound.port}`, '-verify_return_error', '-alpn', 'http/1.1'];
    return runProgram('openssl', ['s_client', '-quiet', ...to, ...own], { input: request });
  };

  test('curl with its default ALPN (h2, http/1.1) gets HTTP/2 and the answer of an app of HTTP/1.1', async () => {
    const ran = await curl('cart', '-w', '\n%{http_version} %{http_code}', `${prices.url}/price`);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).toMatch(/"url":"\/price"[^]*\n2 200$/);
    expectVerifiedCaller();
  });

  test('curl that wants HTTP/1.1 gets that', async () => {
    const ran = await curl('cart', '--http1.1', '-w', '\n%{http_version} %{http_code}', `${prices.url}/price`);
    expect(ran.stdout).toMatch(/"url":"\/price"[^]*\n1\.1 200$/);
  });

  test('10 MB posted by curl arrive unharmed', async () => {
    const content = randomBytes(10 * 1024 * 1024);
    const path = `${prices.pem.path}/upload`;
    writeFileSync(path, content);
    const ran = await curl('cart', '--data-binary', `@${path}`, '-H', 'Expect:', `${prices.url}/upload`);
    const bodySha256 = createHash('sha256').update(content).digest('hex');
    expect(JSON.parse(ran.stdout)).toMatchObject({ method: 'POST', bodyBytes: content.length, bodySha256 });
  });

  const forgeries: [name: string, request: string][] = [
    ['a header', `GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Client-Cert: ${forged}\r\n`],
    ['underscores', `GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_Client_Cert: ${forged}\r\n`],
    ['dots', `GET / HTTP/1.1\r\nHost: a\r\nx.forwarded.client.cert: ${forged}\r\n`],
    [
      'it twice',
      `GET / HTTP/1.1\r\nHost: a\r\nx-forwarded-client-cert: ${forged}\r\nX-FORWARDED-CLIENT-CERT: ${forged}\r\n`,
    ],
    ['names of ours', `GET / HTTP/1.1\r\nHost: a\r\nX-Mesh-Identity: ${forged}\r\nX-Eastwest-Peer: ${forged}\r\n`],
  ];
  test.each(forgeries)('A48: the app sees the verified caller and nothing forged in %s', async (_name, head) => {
    const ran = await raw('cart', `${head}Connection: close\r\n\r\n`);
    expect(ran.stdout).toMatch(/^HTTP\/1\.1 200 /);
    expectVerifiedCaller();
  });

  test('A48: nor in trailers', async () => {
    const chunked = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n';
    const trailers = `x-forwarded-client-cert: ${forged}\r\nX_Forwarded_Client_Cert: ${forged}\r\nx-note: kept\r\n`;
    const ran = await raw('cart', `${chunked}Trailer: x-forwarded-client-cert\r\n\r\n2\r\nhi\r\n0\r\n${trailers}\r\n`);
    expect(ran.stdout).toMatch(/^HTTP\/1\.1 200 /);
    const seen = expectVerifiedCaller();
    expect(seen.trailers).toEqual(['x-note', 'kept']);
    expect(seen.bodyBytes).toBe(2);
  });

  test.each(['x-forwarded-client-cert', 'x-mesh-identity'])(
    'A49: a caller that lists %s in Connection gets 400, and the app hears nothing',
    async (name) => {
      const before = prices.http.seen.length;
      const ran = await raw('cart', `GET / HTTP/1.1\r\nHost: a\r\nConnection: close, ${name}\r\n\r\n`);
      expect(ran.stdout).toMatch(/^HTTP\/1\.1 400 /);
      expect(prices.http.seen).toHaveLength(before);
    },
  );

  /** The app's last request names cart once, by us, and nowhere a forged name. */
  function expectVerifiedCaller() {
    const seen = prices.http.seen.at(-1)!;
    const names = seen.headers.filter((_text, index) => index % 2 === 0).map((name) => name.toLowerCase());
    const ours = names.filter((name) => /forwarded.client.cert|mesh.identity|eastwest/.test(name));
    expect(ours).toEqual(['x-forwarded-client-cert']);
    const value = seen.headers[names.indexOf('x-forwarded-client-cert') * 2 + 1];
    expect(value).toMatch(new RegExp(`^By=${self};Hash=[0-9a-f]{64};Subject="";URI=${cart}$`));
    expect(JSON.stringify(seen)).not.toContain('sa/admin');
    return seen;
  }

  test('another workload, with a good certificate, gets 403 problem+json; the app hears nothing', async () => {
    const before = prices.http.seen.length;
    const ran = await curl('orders', '--http1.1', '-i', '-d', 'x'.repeat(2_000), prices.url);
    const [head = '', body = ''] = ran.stdout.split('\r\n\r\n');
    const told = JSON.parse(body) as { status: number; decisionId: string };
    expect(head).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(head).toMatch(/^content-type: application\/problem\+json\r?$/im);
    expect(head).toContain(`X-Eastwest-Decision: ${told.decisionId}`);
    expect(told.status).toBe(403);
    await prices.agent.event('inbound.denied', (denied) => denied.decisionId === told.decisionId);
    expect(prices.http.seen).toHaveLength(before);
  });

  test('at the opaque port another workload is disconnected port it is disconnected without a byte, and the app is not dialled', async () => {
    const before = prices.tcp.accepted.length;
    const own = prices.pem.openssl(prices.ca.leaf('orders'), prices.ca);
    const to = ['-connect', `127.0.0.1:${prices.inbound.port}`];
    const ran = await runProgram('openssl', ['s_client', '-quiet', ...to, ...own], { input: 'hello\n' });
    expect([ran.stdout, ran.code === -1]).toEqual(['', false]);
    expect(prices.tcp.accepted).toHaveLength(before);
    await prices.agent.event(
      'inbound.denied',
      ({ principal, port }) => principal?.endsWith('/orders') === true && port === 7003,
    );
  });

  test('A54: a request head that does not end is answered 408 and the connection ends', async () => {
    const { stdout, tookMs } = await slowHead;
    expect(stdout).toMatch(/^HTTP\/1\.1 408 /);
    expect(tookMs).toBeGreaterThan(defaultLimits.headMs * 0.9);
    expect(tookMs).toBeLessThan(defaultLimits.headMs + 3_000);
  }, 20_000);
});

/** A caller that begins a head and then says nothing more, until it is disconnected. */
async function sendHalfAHead({ pem, ca, inbound }: ServingAgentProcess): Promise<Ran & { readonly tookMs: number }> {
  const startedMs = performance.now();
  const to = ['-connect', `127.0.0.1:${inbound.port}`, '-alpn', 'http/1.1'];
  const ran = await runProgram('openssl', ['s_client', '-quiet', ...to, ...pem.openssl(ca.leaf('cart'), ca)], {
    input: 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ',
    deadlineMs: 20_000,
  });
  return { ...ran, tookMs: performance.now() - startedMs };
}
