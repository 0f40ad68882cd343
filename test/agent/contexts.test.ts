import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, TLSSocket, type TlsOptions } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createIdentityStore } from '#agent/identity/store.ts';
import { clientTlsOptions, secureContextOf, serverTlsOptions } from '#agent/tls/contexts.ts';
import { verifyPeer } from '#agent/tls/verified-peer.ts';
import { lacks } from '#support/needs.ts';
import { badLeaves, createTestCa, type TestAuthority, type TestCertificate } from '#support/test-ca.ts';
import { identityOf } from '#support/test-identity.ts';

// OpenSSL judges by the machine's clock here, so the certificates have to be of today.
const nowMs = Date.now();
const ca = createTestCa({ nowMs });
const intermediate = ca.intermediate();
const snapshotOf = (certificate: TestCertificate, by: TestAuthority = ca) =>
  createIdentityStore().replace(identityOf(certificate, { ca: by, nowMs }));
const server = snapshotOf(intermediate.leaf('prices'));
const client = snapshotOf(intermediate.leaf('storefront'));

async function listening(created: Server): Promise<number> {
  created.listen(0, '127.0.0.1');
  await once(created, 'listening');
  onTestFinished(() => void created.close());
  return (created.address() as AddressInfo).port;
}

/** Greets whoever got in with what `verifyPeer` says. */
async function startServer(changes: TlsOptions = {}): Promise<{ port: number; swap(options: TlsOptions): void }> {
  const created = createServer({ ...serverTlsOptions(server), ...changes }, (socket) => {
    socket.on('error', () => undefined);
    const peer = verifyPeer(socket, { bundle: server.bundle, nowMs });
    socket.end(peer.ok ? `hello ${peer.value.spiffeId}\n` : `refused ${peer.reason}\n`);
  });
  const port = await listening(created);
  return { port, swap: (options) => created.setSecureContext(options) };
}

function talk(port: number, options = clientTlsOptions(client)): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ port, host: '127.0.0.1', ...options });
    socket.on('data', (data) => (text += data.toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(`failed ${error.code}`));
    socket.on('end', () => resolve(text.trim()));
  });
}

interface Foreign {
  readonly run: (args: readonly string[]) => Promise<string>;
  readonly path: (name: string) => string;
}

/** `openssl s_client` with a certificate of its own. */
function foreignClient(certificate: TestCertificate): Foreign {
  const dir = mkdtempSync(join(tmpdir(), 'eastwest-tls-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const path = (name: string) => join(dir, name);
  writeFileSync(path('chain.pem'), certificate.chainPem);
  writeFileSync(path('key.pem'), certificate.keyPem);
  writeFileSync(path('ca.pem'), ca.bundlePem);
  const files = [
    '-cert',
    path('chain.pem'),
    '-cert_chain',
    path('chain.pem'),
    '-key',
    path('key.pem'),
    '-CAfile',
    path('ca.pem'),
  ];
  return {
    path,
    run: (args) =>
      new Promise((resolve) => {
        const child = execFile(
          'openssl',
          ['s_client', ...files, '-ign_eof', ...args],
          { timeout: 10_000 },
          (_error, stdout, stderr) => resolve(stdout + stderr),
        );
        child.stdin!.end();
      }),
  };
}

describe('two agents of ours', () => {
  test('get together over TLS 1.3 with AES-128-GCM and a post-quantum key exchange, and know each other', async () => {
    const { port } = await startServer();
    const socket = connect({ port, host: '127.0.0.1', ...clientTlsOptions(client) });
    await once(socket, 'secureConnect');
    expect(socket.getProtocol()).toBe('TLSv1.3');
    expect(socket.getCipher().name).toBe('TLS_AES_128_GCM_SHA256');
    expect(socket.getEphemeralKeyInfo()).toMatchObject({ name: 'X25519MLKEM768' });
    expect(verifyPeer(socket, { bundle: client.bundle, nowMs })).toMatchObject({
      ok: true,
      value: { spiffeId: server.svid.spiffeId },
    });
    const [greeting] = (await once(socket, 'data')) as [Buffer];
    expect(greeting.toString()).toBe(`hello ${client.svid.spiffeId}\n`);
    socket.destroy();
  });

  test('go on with the next generation: the server swaps, new connections see the new leaf', async () => {
    const { port, swap } = await startServer();
    const leafSeen = async () => {
      const socket = connect({ port, host: '127.0.0.1', ...clientTlsOptions(client) });
      await once(socket, 'secureConnect');
      const { raw } = socket.getPeerX509Certificate()!;
      socket.destroy();
      return raw;
    };
    expect((await leafSeen()).equals(server.svid.chainDer[0]!)).toBe(true);
    const next = snapshotOf(intermediate.leaf('prices'));
    swap(serverTlsOptions(next));
    expect((await leafSeen()).equals(next.svid.chainDer[0]!)).toBe(true);
  });

  test('a generation has one context', () => {
    expect(secureContextOf(server)).toBe(secureContextOf(server));
    expect(secureContextOf(server)).not.toBe(secureContextOf(client));
  });
});

const lacksOpenssl = lacks('the TLS contexts against a foreign client', 'openssl');

describe('no session is resumed (A45, A75)', () => {
  test.skipIf(lacksOpenssl).each([
    ['a server of node:tls', async () => (await startServer()).port],
    [
      'bare sockets with the shared context',
      () =>
        listening(
          createTcpServer((raw) => {
            const options = {
              isServer: true,
              secureContext: secureContextOf(server),
              requestCert: true,
              rejectUnauthorized: true,
            };
            const socket = new TLSSocket(raw, options);
            socket.on('error', () => undefined);
            socket.on('secure', () => socket.end('hello\n'));
          }),
        ),
    ],
  ])('by openssl against %s', async (_name, start) => {
    const port = await start();
    const { run, path } = foreignClient(intermediate.leaf('storefront'));
    const target = ['-connect', `127.0.0.1:${port}`];
    const first = await run([...target, '-sess_out', path('session.pem')]);
    expect(first).toContain('hello');
    expect(existsSync(path('session.pem'))).toBe(true); // there is something to try with
    for (const attempt of [1, 2]) {
      const again = await run([...target, '-sess_in', path('session.pem')]);
      expect(again, `attempt ${attempt}`).toContain('New, TLSv1.3');
      expect(again).not.toContain('Reused');
    }
  });

  test.skipIf(lacksOpenssl)('though the same attempt succeeds against a server with Node’s defaults', async () => {
    const { port } = await startServer({ secureOptions: 0 });
    const { run, path } = foreignClient(intermediate.leaf('storefront'));
    const target = ['-connect', `127.0.0.1:${port}`];
    await run([...target, '-sess_out', path('session.pem')]);
    expect(await run([...target, '-sess_in', path('session.pem')])).toContain('Reused, TLSv1.3');
  });

  test('by our own client, even with a session in hand', async () => {
    const { port } = await startServer();
    const first = connect({ port, host: '127.0.0.1', ...clientTlsOptions(client) });
    const [session] = (await once(first, 'session')) as [Buffer];
    const second = connect({ port, host: '127.0.0.1', ...clientTlsOptions(client), session });
    await once(second, 'secureConnect');
    expect(second.isSessionReused()).toBe(false);
    first.destroy();
    second.destroy();
  });
});

describe('a foreign client', () => {
  test.skipIf(lacksOpenssl)(
    'with a good certificate is known by its SPIFFE ID, also where it sends its leaf twice',
    async () => {
      const { port } = await startServer();
      const output = await foreignClient(intermediate.leaf('storefront')).run(['-connect', `127.0.0.1:${port}`]);
      expect(output).toContain('hello spiffe://shop.example/ns/default/sa/storefront');
      expect(output).toContain('Server Temp Key: X25519');
    },
  );

  test.skipIf(lacksOpenssl)('offering TLS 1.2 is refused (A45)', async () => {
    const { port } = await startServer();
    const output = await foreignClient(intermediate.leaf('storefront')).run([
      '-tls1_2',
      '-connect',
      `127.0.0.1:${port}`,
    ]);
    expect(output).toContain('alert protocol version');
    expect(output).not.toContain('hello');
  });

  test('without a certificate is refused', async () => {
    const { port } = await startServer();
    expect(await talk(port, { ca: ca.bundlePem, checkServerIdentity: () => undefined })).toMatch(/^failed/);
  });
});

describe('a certificate that chains to our root and is still no SVID is refused at the handshake or by us (A42, A43)', () => {
  const rows = Object.entries(badLeaves).map(([name, recipe]) => ({ name, certificate: ca.leaf('prices', recipe) }));
  test.each([
    ...rows,
    { name: 'expired', certificate: ca.leaf('prices', { notAfterMs: nowMs - 1000 }) },
    { name: 'not yet valid', certificate: ca.leaf('prices', { notBeforeMs: nowMs + 600_000 }) },
    { name: 'another root', certificate: createTestCa({ nowMs }).leaf('prices') },
    {
      name: 'another trust domain under our root',
      certificate: ca.leaf('prices', { names: [{ kind: 'uri', text: 'spiffe://evil.example/ns/default/sa/prices' }] }),
    },
  ])('$name', async ({ certificate }) => {
    const { port } = await startServer();
    const said = await talk(port, {
      cert: certificate.chainPem,
      key: certificate.keyPem,
      ca: ca.bundlePem,
      checkServerIdentity: () => undefined,
    });
    expect(said).not.toContain('hello');
  });
});
