import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { performance } from 'node:perf_hooks';
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { handshakeDeadlineMs } from '#agent/tls/contexts.ts';
import { startServingAgentProcess, type ServingAgentProcess } from '#support/serving-agent.ts';
import { lacks } from '#support/needs.ts';
import { lacksOpenssl3, runProgram } from '#support/programs.ts';

const what = 'foreign TLS clients at the inbound port';
const ask = 'GET /price HTTP/1.1\r\nHost: prices\r\nConnection: close\r\n\r\n';

describe.skipIf(lacks(what, 'openssl') || lacksOpenssl3(what))('a foreign TLS client at the inbound port', () => {
  let prices: ServingAgentProcess;
  let slow: Promise<number>;

  beforeAll(async () => {
    prices = await startServingAgentProcess();
    slow = measureSlowHandshake(prices.inbound.port);
  });
  afterAll(() => prices[Symbol.asyncDispose]());

  /** `openssl s_client` as cart, with `args` and then `input`. */
  const sClient = (args: readonly string[], input = '') => {
    const own = prices.pem.openssl(prices.ca.leaf('cart'), prices.ca);
    const target = ['-connect', `127.0.0.1:${prices.inbound.port}`, '-verify_return_error'];
    return runProgram('openssl', ['s_client', ...target, ...own, ...args], { input });
  };

  test('gets TLS 1.3 with X25519 from an OpenSSL 3 client, and an answer of the app', async () => {
    const ran = await sClient(['-alpn', 'http/1.1', '-groups', 'X25519', '-ign_eof'], ask);
    expect(ran.stdout).toContain('New, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256');
    expect(ran.stdout).toContain('Server Temp Key: X25519, 253 bits');
    expect(ran.stdout).toContain('Verify return code: 0 (ok)');
    expect(ran.stdout).toMatch(/HTTP\/1\.1 200 OK\r\n[^]*"url":"\/price"/);
  });

  test('gets the post-quantum X25519MLKEM768 from a Node client', async () => {
    const cart = prices.ca.leaf('cart');
    const socket = connect({
      port: prices.inbound.port,
      host: '127.0.0.1',
      cert: cart.chainPem,
      key: cart.keyPem,
      ca: prices.ca.bundlePem,
      ALPNProtocols: ['http/1.1'],
      checkServerIdentity: () => undefined,
    });
    await once(socket, 'secureConnect');
    expect(negotiatedGroup(socket)).toBe('X25519MLKEM768');
    expect((socket.getPeerCertificate() as PeerCertificate).subjectaltname).toBe(
      'URI:spiffe://shop.example/ns/default/sa/prices',
    );
    socket.destroy();
  });

  test.each(['-tls1_2', '-tls1_1', '-tls1'])('A45: is refused with %s', async (version) => {
    const before = prices.http.seen.length;
    const ran = await sClient([version, '-cipher', 'ALL:@SECLEVEL=0', '-alpn', 'http/1.1', '-ign_eof'], ask);
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toMatch(/alert protocol version|no protocols available/);
    expect(prices.http.seen).toHaveLength(before);
  });

  test('reads a certificate with one URI SAN, critical key usage, both purposes and CA:FALSE', async () => {
    const { stdout: shown } = await sClient(['-showcerts']);
    const { stdout: text } = await runProgram('openssl', ['x509', '-noout', '-text'], { input: shown });
    const flat = text.replace(/\s+/g, ' ');
    expect(flat).toContain('Subject Alternative Name: critical URI:spiffe://shop.example/ns/default/sa/prices ');
    expect(flat.match(/URI:/g)).toHaveLength(1);
    expect(flat).not.toMatch(/DNS:|IP Address:|email:/);
    expect(flat).toContain('Key Usage: critical Digital Signature X509v3');
    expect(flat).toContain('Extended Key Usage: TLS Web Server Authentication, TLS Web Client Authentication');
    expect(flat).toContain('Basic Constraints: critical CA:FALSE');
    expect(shown.match(/BEGIN CERTIFICATE/g), 'leaf and intermediate, without the root').toHaveLength(2);
  });

  test('A75, A45: never resumes: not with its session, not with a ticket, not by reconnecting', async () => {
    const session = `${prices.pem.path}/session`;
    const first = await sClient(['-alpn', 'http/1.1', '-sess_out', session, '-ign_eof'], ask);
    expect(first.stdout).toMatch(/^New, TLSv1\.3/m);
    const again = await sClient(['-alpn', 'http/1.1', '-sess_in', session, '-ign_eof'], ask);
    expect(again.stdout + again.stderr, 'no session was kept, or it does not resume').not.toMatch(/^Reused/m);
    const reconnected = await sClient(['-reconnect']);
    expect(reconnected.stdout.match(/^New, TLSv1\.3/gm)!.length).toBeGreaterThan(1);
    expect(reconnected.stdout).not.toMatch(/^Reused/m);
  });

  test('cannot renegotiate and gets no 0-RTT (A45)', async () => {
    const ran = await sClient(['-alpn', 'http/1.1']);
    expect(ran.stdout).toContain('Early data was not sent');
    expect(ran.stdout).not.toContain('Max Early Data: 1');
    const renegotiating = await sClient(['-alpn', 'http/1.1', '-no_ign_eof'], 'R\n');
    expect(renegotiating.stdout + renegotiating.stderr).toMatch(
      /RENEGOTIATING[^]*wrong ssl version|Renegotiation is NOT supported/i,
    );
  });

  test('without ALPN it speaks to the opaque port', async () => {
    const ran = await sClient(['-quiet'], 'hello\n');
    expect(ran.stdout).toBe('hello\n');
  });

  test('A54: is disconnected when it does not finish its handshake', async () => {
    const tookMs = await slow;
    expect(tookMs).toBeGreaterThan(handshakeDeadlineMs * 0.9);
    expect(tookMs).toBeLessThan(handshakeDeadlineMs + 3_000);
    await prices.agent.event('inbound.handshake-refused', ({ reason }) => reason === 'ERR_TLS_HANDSHAKE_TIMEOUT');
  }, 20_000);
});

function negotiatedGroup(socket: TLSSocket): string {
  const { name, type } = socket.getEphemeralKeyInfo() as { name?: string; type?: string };
  return name ?? type ?? 'unknown';
}

/** Milliseconds until a client that sent half a ClientHello is cut off. */
async function measureSlowHandshake(port: number): Promise<number> {
  const socket = connectTcp(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const startedMs = performance.now();
  socket.write(Buffer.from('1603010200010001fc0303', 'hex'));
  socket.resume();
  await once(socket, 'close');
  return performance.now() - startedMs;
}
