import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createIdentityStore } from '#agent/identity/store.ts';
import { deriveAuthenticatorKeys, type TlsRole } from '#agent/proof/authenticator-keys.ts';
import { ProofExchange } from '#agent/proof/proof-exchange.ts';
import { clientTlsOptions, serverTlsOptions } from '#agent/tls/contexts.ts';
import { verifyPeer } from '#agent/tls/verified-peer.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { lacks } from '#support/needs.ts';
import { runProgram } from '#support/programs.ts';
import { createTestCa } from '#support/test-ca.ts';
import { identityOf } from '#support/test-identity.ts';

const what = 'exported authenticators with another TLS stack';

describe.skipIf(lacks(what, 'go'))('an agent and a peer made with Go', () => {
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-authenticator-'));
  const program = join(folder, 'authenticator');
  const nowMs = Date.now();
  const ca = createTestCa({ nowMs });
  const [peer, peerNext] = [ca.intermediate().leaf('prices'), ca.intermediate().leaf('prices')];

  beforeAll(async () => {
    const source = join(import.meta.dirname, '..', 'support', 'foreign', 'authenticator.go');
    const built = await runProgram('go', ['build', '-o', program, source], { deadlineMs: 110_000 });
    expect(built).toEqual({ code: 0, stdout: '', stderr: '' });
    const files = {
      'cert.pem': peer.chainPem,
      'key.pem': peer.keyPem,
      'next-cert.pem': peerNext.chainPem,
      'next-key.pem': peerNext.keyPem,
      'ca.pem': ca.bundlePem,
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function startPeer(role: TlsRole, address = '127.0.0.1:0'): ChildProcess & { lines: AsyncIterator<string> } {
    const at = (name: string): string => join(folder, `${name}.pem`);
    const files = ['cert', 'key', 'next-cert', 'next-key', 'ca'].flatMap((name) => [`-${name}`, at(name)]);
    const child = spawn(program, ['-role', role, '-address', address, ...files], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return Object.assign(child, { lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() });
  }

  /** Proves both ways over the connection: the peer its second certificate, we a second one of ours. */
  async function prove(role: TlsRole, socket: TLSSocket, child: ReturnType<typeof startPeer>): Promise<void> {
    const identity = createIdentityStore();
    identity.replace(own);
    const keys = deriveAuthenticatorKeys(socket);
    const verified = verifyPeer(socket, { bundle: ca.bundle, nowMs: Date.now() });
    if (!keys.ok || !verified.ok) throw new Error('no session');
    const proved = new Promise<string>((resolve, reject) => {
      const exchange = new ProofExchange({
        role,
        keys: keys.value,
        identity,
        shown: own.svid,
        peer: verified.value,
        clock: systemClock,
        randomBytes,
        send: (bytes) => void socket.write(bytes),
        onProved: ({ svid }) => resolve(svid.serialHex),
        onShown: () => undefined,
        onFailed: (reason) => reject(new Error(reason)),
      });
      socket.on('data', (bytes: Buffer) => exchange.receive(bytes));
      exchange.begin();
    });
    const next = identityOf(ca.leaf('cart'), { ca, nowMs });
    identity.replace(next);
    expect(await proved).toBe(identityOf(peerNext, { ca, nowMs }).svid.serialHex);
    const said = new Set([(await child.lines.next()).value, (await child.lines.next()).value]);
    expect(said).toEqual(new Set(['answered', `verified ${next.svid.serialHex}`]));
  }

  const own = identityOf(ca.leaf('cart'), { ca, nowMs });
  const snapshot = { ...own, generation: 1 };
  const suites = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];

  test.each(suites)('understand each other when the agent dials, with %s', async (ciphers) => {
    const child = startPeer('server');
    const { value: listening } = (await child.lines.next()) as { value: string };
    const port = Number(/^listening (\d+)$/.exec(listening)?.[1]);
    const { secureContext: _ours, ...options } = clientTlsOptions(snapshot);
    const { cert, key, ca: roots } = serverTlsOptions(snapshot);
    const socket = connect({ ...options, cert, key, ca: roots, ciphers, host: '127.0.0.1', port });
    await once(socket, 'secureConnect');
    expect(socket.getCipher().standardName).toBe(ciphers);
    await prove('client', socket, child);
    socket.end();
    expect(await once(child, 'close')).toEqual([0, null]);
  });

  test('understand each other when the peer dials', async () => {
    const server = createServer(serverTlsOptions(snapshot));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'secureConnection');
    const child = startPeer('client', `127.0.0.1:${(server.address() as AddressInfo).port}`);
    const [socket] = (await accepted) as [TLSSocket];
    await prove('server', socket, child);
    socket.end();
    expect(await once(child, 'close')).toEqual([0, null]);
    server.close();
  });
});
