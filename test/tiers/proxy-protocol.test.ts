import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { proxyHeader } from '#agent/proxy-protocol/header.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import { startTcpApp } from '#support/apps.ts';
import { startMtlsRelay } from '#support/mtls-relay.ts';
import { lacks } from '#support/needs.ts';
import { spiffeIdOf, startProcessPair, type ProcessPair } from '#support/process-pair.ts';
import { startEnvoyApp, startHaproxyApp, startNginxApp, type ForeignApp } from '#support/proxy-protocol-apps.ts';
import { proxyHeaderLength, readProxyHeader } from '#support/proxy-header-reader.ts';

const ports = { haproxy: 7001, nginx: 7002, envoy: 7003, reader: 7004 } as const;
const what = 'HAProxy, nginx and Envoy as apps that read the PROXY protocol';

describe.skipIf(lacks(what, 'haproxy', 'nginx', 'envoy')).each([1, 2])(
  'the PROXY protocol of an agent with %i workers, as programs of others read it',
  (workers) => {
    const stack = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), 'eastwest-proxy-'));
    const heard: Buffer[] = [];
    let haproxy: ForeignApp;
    let envoy: ForeignApp;
    let pair: ProcessPair;
    /** Where a stream of cart begins, by the way it takes to prices. */
    let entrances: Readonly<Record<'tunnel' | 'plain mTLS', (port: number) => Promise<number>>>;

    beforeAll(async () => {
      stack.defer(() => rmSync(folder, { recursive: true, force: true }));
      const echo = stack.use(await startTcpApp());
      const reader = stack.use(
        await startTcpApp((socket) => void socket.on('data', (bytes: Buffer) => void heard.push(bytes))),
      );
      haproxy = stack.use(await startHaproxyApp(folder));
      const nginx = stack.use(await startNginxApp(folder));
      envoy = stack.use(await startEnvoyApp(folder, echo.address.port));
      const asked = { protocol: 'tcp', proxyProtocol: 'v2', listen: '127.0.0.1:0' } as const;
      pair = stack.use(
        await startProcessPair({
          workers,
          listen: '[::]:0', // so that callers by IPv4 come mapped into IPv6
          ports: [
            { port: ports.haproxy, app: haproxy.port, ...asked },
            { port: ports.nginx, app: nginx.port, ...asked },
            { port: ports.envoy, app: envoy.port, ...asked },
            { port: ports.reader, app: reader.address.port, ...asked },
          ],
        }),
      );
      entrances = {
        tunnel: (port) => pair.upstreamPort(port),
        'plain mTLS': async (port) => {
          const recipe = port === ports.reader ? { subject: 'cart, abroad' } : {}; // too long for nginx before 1.23.2
          const own = { ca: pair.ca, certificate: pair.ca.leaf('cart', recipe), alpn: [] };
          const { port: to } = await pair.prices.address(`port ${port}`);
          return stack.use(await startMtlsRelay(to, own)).port;
        },
      };
    }, 60_000);
    afterAll(() => stack.disposeAsync());

    /** Where the agent took the stream in: what an app is told as the destination. */
    const inboundPort = async (way: 'tunnel' | 'plain mTLS', port: number): Promise<number> =>
      way === 'tunnel' ? pair.inbound.port : (await pair.prices.address(`port ${port}`)).port;

    describe.each(['tunnel', 'plain mTLS'] as const)('by %s', (way) => {
      test('HAProxy takes the ends of the mTLS connection for the request’s', async () => {
        const said = await talk(await entrances[way](ports.haproxy), 'GET / HTTP/1.0\r\n\r\n');
        expect(said).toMatch(/^HTTP\/1\.[01] 200 OK\r\n/);
        expect(said.split('\r\n\r\n')[1]).toMatch(
          new RegExp(`^127\\.0\\.0\\.1 [1-9]\\d+ 127\\.0\\.0\\.1 ${await inboundPort(way, ports.haproxy)}$`),
        );
      });

      test('nginx too, before the caller says a word', async () => {
        expect(await talk(await entrances[way](ports.nginx))).toMatch(
          new RegExp(`^127\\.0\\.0\\.1 [1-9]\\d+ 127\\.0\\.0\\.1 ${await inboundPort(way, ports.nginx)}$`),
        );
      });

      test('Envoy’s listener filter finds the SPIFFE ID in its TLV: the access log has it', async () => {
        const before = envoy.said.length;
        expect(await talk(await entrances[way](ports.envoy), 'hello')).toBe('hello');
        await expect
          .poll(() => envoy.said.slice(before), { timeout: 10_000 })
          .toMatch(new RegExp(`127\\.0\\.0\\.1:[1-9]\\d+ "?${spiffeIdOf('cart')}"?\n`));
      });

      test('a reader of our own finds all of it, and the common name of a certificate that has one', async () => {
        heard.length = 0;
        const socket = connect(await entrances[way](ports.reader), '127.0.0.1').on('error', () => undefined);
        await expect.poll(() => proxyHeaderLength(Buffer.concat(heard))).toBeGreaterThan(0);
        socket.destroy();
        const { tlvs, ssl, family } = readProxyHeader(Buffer.concat(heard));
        expect(family, 'mapped addresses are IPv4').toBe('TCP4');
        expect(tlvs.get(0xe0)?.toString()).toBe(spiffeIdOf('cart'));
        expect(ssl?.tlvs.get(0x22)?.toString()).toBe(way === 'tunnel' ? undefined : 'cart, abroad');
      });
    });

    test('by IPv6 HAProxy is told of an IPv6 caller', async () => {
      const own = { ca: pair.ca, certificate: pair.ca.leaf('cart'), alpn: [], host: '::1' };
      await using relay = await startMtlsRelay(pair.inbound.port, own); // without ALPN the first TCP port is meant
      const said = await talk(relay.port, 'GET / HTTP/1.0\r\n\r\n');
      expect(said.split('\r\n\r\n')[1]).toMatch(new RegExp(`^::1 [1-9]\\d+ ::1 ${pair.inbound.port}$`));
    });

    test('HAProxy believes the checksum: with one bit of the SPIFFE ID turned over it hangs up', async () => {
      const ends = { source: { host: '192.0.2.7', port: 7 }, destination: { host: '192.0.2.8', port: 8 } };
      const proved = { spiffeId: spiffeIdOf('cart') as SpiffeId, tlsVersion: 'TLSv1.3', commonName: undefined };
      const header = proxyHeader({ ...ends, spiffeIdTlv: 0xe0, proved });
      const request = Buffer.from('GET / HTTP/1.0\r\n\r\n');
      expect(await talk(haproxy.port, Buffer.concat([header, request]))).toContain('192.0.2.7 7 192.0.2.8 8');
      header[header.indexOf('cart')]! ^= 1;
      expect(await talk(haproxy.port, Buffer.concat([header, request]))).toBe('');
    });
  },
);

/** Says something, if anything, and resolves with all that comes back until the other side ends. */
async function talk(port: number, say?: string | Buffer): Promise<string> {
  const socket: Socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => undefined);
  let said = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    said += text;
    if (said === say) socket.end(); // an echo is whole
  });
  if (say !== undefined) socket.write(say);
  await new Promise((resolve) => socket.once('close', resolve).once('end', resolve));
  socket.destroy();
  return said;
}
