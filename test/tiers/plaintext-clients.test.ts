import { createServer } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { certificatesToPem } from '#certs/pem.ts';
import { lacks } from '#support/needs.ts';
import { anyoneText, modeText, permissivePrices } from '#support/plaintext-prices.ts';
import { runProgram } from '#support/programs.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

/** Options of curl as cart. */
async function asCart(): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-curl-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const { svid, privateKey } = await world.domain.identity('cart', 60_000);
  writeFileSync(join(folder, 'cart.pem'), certificatesToPem(svid.chainDer));
  writeFileSync(join(folder, 'cart.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return ['--insecure', '--cert', join(folder, 'cart.pem'), '--key', join(folder, 'cart.key')];
}

describe.skipIf(lacks('curl with and without TLS at one port', 'curl'))('curl at a port of its own listener', () => {
  test('with TLS and without, in HTTP/1.1 and HTTP/2, while the port is permissive; with TLS alone once it is strict', async () => {
    const told: unknown[] = [];
    const app = await world.httpApp((incoming, reply) => {
      told.push(/URI=(\S+)/.exec(String(incoming.headers['x-forwarded-client-cert']))?.[1]);
      reply.end('hello');
    });
    const { prices, port } = await permissivePrices(world, app);
    prices.push(anyoneText() + modeText('PERMISSIVE'));
    const forged = ['--header', 'X-Forwarded-Client-Cert: URI=spiffe://test.example/ns/default/sa/boss'];
    const curl = async (scheme: string, ...options: string[]) => {
      const ran = await runProgram('curl', ['-s', '-m', '5', ...forged, ...options, `${scheme}://127.0.0.1:${port}/`]);
      return [ran.code, ran.stdout];
    };
    const own = await asCart();
    expect(await curl('http')).toEqual([0, 'hello']);
    expect(await curl('http', '--http2-prior-knowledge')).toEqual([0, 'hello']);
    expect(await curl('https', ...own)).toEqual([0, 'hello']);
    expect(await curl('https', ...own, '--http2')).toEqual([0, 'hello']);
    expect((await curl('https', '--insecure'))[0], 'TLS without a certificate is no plaintext').not.toBe(0);
    const cart = world.domain.spiffeId('cart');
    expect(told).toEqual([undefined, undefined, cart, cart]);

    prices.push(anyoneText() + modeText('STRICT'));
    expect(await curl('http')).toEqual([52, '']); // an empty reply
    expect((await curl('http', '--http2-prior-knowledge'))[1]).toBe('');
    expect(await curl('https', ...own)).toEqual([0, 'hello']);
  });

  test('as a telnet client, which waits for the greeting of a TCP app', async () => {
    const app = createServer((socket) => void socket.end('220 ready\r\n')).listen(0, '127.0.0.1');
    onTestFinished(() => void app.close());
    await new Promise((resolve) => app.once('listening', resolve));
    const { port: appPort } = app.address() as { port: number };
    const { prices, port } = await permissivePrices(world, appPort, { protocol: 'tcp' });
    prices.push(anyoneText());
    const ran = await runProgram('curl', ['-s', '-m', '5', `telnet://127.0.0.1:${port}`]);
    expect(ran.stdout).toBe('220 ready\r\n');
  });
});
