import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { freePort, startReadyAgent, type AgentProcess } from '#support/agent-process.ts';
import { startTcpApp } from '#support/apps.ts';
import { createIdentityFolder } from '#support/identity-folder.ts';
import { lacks } from '#support/needs.ts';
import { createPemFolder, lacksOpenssl3, type PemFolder } from '#support/programs.ts';
import {
  badLeaves,
  createTestCa,
  type CertificateRecipe,
  type TestAuthority,
  type TestCertificate,
} from '#support/test-ca.ts';

const what = 'openssl s_server as a foreign mTLS server';
const prices = 'spiffe://shop.example/ns/default/sa/prices';

describe.skipIf(lacks(what, 'openssl') || lacksOpenssl3(what))('an upstream with transport mtls', () => {
  const stack = new AsyncDisposableStack();
  const ca = createTestCa({ nowMs: Date.now() });
  let pem: PemFolder;
  let identity: string;

  beforeAll(() => {
    pem = stack.use(createPemFolder());
    const folder = stack.use(createIdentityFolder());
    folder.write(ca.leaf('cart'), [ca]);
    identity = folder.path;
    writeFileSync(`${pem.path}/price`, '42\n');
  });
  afterAll(() => stack.disposeAsync());

  /** The agent of cart, whose upstream `prices` is a plain mTLS server at `port`. */
  const startCart = (port: number, protocol: 'http' | 'tcp' = 'http') =>
    startReadyAgent({
      workload: 'cart',
      trustDomain: 'shop.example',
      identity: { files: { dir: identity } },
      outbound: {
        upstreams: [
          {
            workload: 'prices',
            port: 7002,
            listen: '127.0.0.1:0',
            spiffeId: prices,
            endpoints: [`127.0.0.1:${port}`],
            transport: 'mtls',
            protocol,
          },
        ],
      },
    });

  const serve = (own: readonly string[]) => startOpensslServer(['-WWW', ...own], pem.path);

  test('that is openssl s_server: the app gets its page, over TLS 1.3, and the server saw our SPIFFE ID', async () => {
    await using server = await startOpensslServer(['-www', ...pem.openssl(ca.leaf('prices'), ca)], pem.path);
    await using cart = await startCart(server.port);
    const reply = await get(cart);
    expect(reply.status).toBe(200);
    expect(reply.body).toMatch(/New, TLSv1\.3, Cipher is TLS_AES_128_GCM_SHA256/);
    expect(reply.body.replace(/\s+/g, ' ')).toContain('URI:spiffe://shop.example/ns/default/sa/cart');
  });

  test('that is openssl s_server with files: the app gets one, and the server tells of it', async () => {
    await using server = await serve(pem.openssl(ca.leaf('prices'), ca));
    await using cart = await startCart(server.port);
    expect(await get(cart)).toMatchObject({ status: 200, body: '42\n' });
    expect(server.requests()).toEqual(['FILE:price']);
  });

  const wrong: [row: string, name: string, make: (trusted: TestAuthority) => TestCertificate, reason: string][] = [
    ['A47', 'another workload of ours', (trusted) => trusted.leaf('orders'), 'wrong-peer'],
    [
      'A43',
      'another trust domain under our root',
      (trusted) => trusted.leaf('prices', named('bank')),
      'peer-not-verified',
    ],
    ['A43', 'another root', () => createTestCa({ nowMs: Date.now() }).leaf('prices'), 'handshake-failed'],
    [
      'A43',
      'an expired certificate',
      (trusted) => trusted.leaf('prices', { notAfterMs: Date.now() - 1_000 }),
      'handshake-failed',
    ],
    ['A43', 'CA:TRUE', (trusted) => trusted.leaf('prices', badLeaves['CA:TRUE']), 'peer-not-verified'],
    [
      'A42',
      'no SPIFFE ID, but the right host name',
      (trusted) => trusted.leaf('prices', badLeaves['no URI SAN']),
      'peer-not-verified',
    ],
    ['A42', 'two SPIFFE IDs', (trusted) => trusted.leaf('prices', badLeaves['two URI SANs']), 'peer-not-verified'],
  ];
  test.each(wrong)(
    '%s: that shows %s: the app gets 502, and nothing else happens',
    async (_row, _name, make, reason) => {
      await using server = await serve(pem.openssl(make(ca), ca));
      await using cart = await startCart(server.port);
      const reply = await get(cart);
      expect(reply.status).toBe(502);
      expect(reply.type).toBe('application/problem+json');
      await cart.event('outbound.failed', (failed) => failed.reason === reason);
      expect(server.requests(), 'the request never left').toEqual([]);
    },
  );

  test('A45: that speaks TLS 1.2 at most: the app gets 502', async () => {
    await using server = await serve([...pem.openssl(ca.leaf('prices'), ca), '-tls1_2']);
    await using cart = await startCart(server.port);
    expect((await get(cart)).status).toBe(502);
  });

  test('that does not trust us: the app gets 502', async () => {
    const other = createTestCa({ nowMs: Date.now() });
    await using server = await serve([...pem.openssl(ca.leaf('prices'), other), '-verify_return_error']);
    await using cart = await startCart(server.port);
    expect((await get(cart)).status).toBe(502);
    expect(server.requests()).toEqual([]);
  });

  test('A47: that speaks plaintext: the app gets 502, and what was sent is a ClientHello alone', async () => {
    const heard: Buffer[] = [];
    await using server = await startTcpApp((socket) => {
      socket.on('data', (bytes: Buffer) => heard.push(bytes));
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    await using cart = await startCart(server.address.port);
    const reply = await get(cart);
    expect([reply.status, reply.type]).toEqual([502, 'application/problem+json']);
    const bytes = Buffer.concat(heard);
    expect(bytes.subarray(0, 2).toString('hex'), 'a TLS record').toBe('1603');
    expect(bytes.includes('secret-in-a-header')).toBe(false);
  });

  test('A47: that is another workload, for an opaque upstream: the app’s connection is cut without a byte', async () => {
    await using server = await serve(pem.openssl(ca.leaf('orders'), ca));
    await using cart = await startCart(server.port, 'tcp');
    const { port } = await cart.address('upstream prices:7002');
    const app = connect(port, '127.0.0.1');
    const heard: Buffer[] = [];
    app.on('data', (bytes: Buffer) => heard.push(bytes)).on('error', () => undefined);
    app.write('hello');
    await new Promise((resolve) => app.once('close', resolve));
    expect(heard).toEqual([]);
    await cart.event('outbound.failed', ({ reason }) => reason === 'wrong-peer');
  });
});

function named(domain: string): CertificateRecipe {
  return { names: [{ kind: 'uri', text: `spiffe://${domain}.example/ns/default/sa/prices` }] };
}

async function get(agent: AgentProcess): Promise<{ status: number; type: string; body: string }> {
  const { port } = await agent.address('upstream prices:7002');
  const headers = { authorization: 'secret-in-a-header' };
  const sent = request({ host: '127.0.0.1', port, path: '/price', headers, agent: false }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let body = '';
  for await (const piece of response.setEncoding('latin1')) body += piece as string;
  return { status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body };
}

interface OpensslServer extends AsyncDisposable {
  readonly port: number;
  /** Lines of its log that speak of a request: `FILE:…`. */
  requests(): string[];
}

/** `openssl s_server` that demands a client certificate and serves what lies in `cwd` (`-WWW`) or tells of the handshake (`-www`). */
async function startOpensslServer(options: readonly string[], cwd: string): Promise<OpensslServer> {
  const port = await freePort();
  const args = ['s_server', '-accept', `127.0.0.1:${port}`, '-Verify', '1', ...options];
  const child = spawn('openssl', args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('latin1').on('data', (text: string) => (said += text));
  await vi.waitFor(() => expect(said).toContain('ACCEPT'), { timeout: 5_000 });
  return {
    port,
    requests: () => said.split('\n').filter((line) => line.startsWith('FILE:')),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}
