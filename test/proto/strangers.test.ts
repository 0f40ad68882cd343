import { once } from 'node:events';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { buildCsr } from '#certs/csr.ts';
import { createMeshClient } from '#proto/mesh-client.ts';
import { meshPaths } from '#proto/messages.ts';
import { backoffMs } from '#runtime/backoff.ts';
import { systemClock, systemRandom } from '#runtime/system-clock.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { startFakeControlPlane, type FakeControlPlane } from '#support/fake-control-plane.ts';
import { makeKeys } from '#support/test-ca.ts';

const csr = buildCsr(makeKeys());
const signal = new AbortController().signal;
const post = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' } as const;
const issuePath = { ...post, ':path': meshPaths.issueCertificate } as const;

/** A stranger's connection after its handshake; it says nothing more. */
async function stranger(fake: FakeControlPlane): Promise<TLSSocket> {
  const socket = connectTls({
    host: '127.0.0.1',
    port: fake.port,
    ca: fake.ca.bundlePem,
    ALPNProtocols: ['h2'],
    checkServerIdentity: () => undefined,
  });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket.resume();
}

async function strangerSession(fake: FakeControlPlane): Promise<ClientHttp2Session> {
  const session = connectHttp2(`https://127.0.0.1:${fake.port}`, {
    ca: fake.ca.bundlePem,
    checkServerIdentity: () => undefined,
  });
  session.on('error', () => undefined);
  await once(session, 'remoteSettings');
  return session;
}

const open = (sockets: readonly Socket[]): number => sockets.filter((socket) => !socket.closed).length;

/** Joins as an agent does: with a client of its own, again and again with jitter; how many tries it took. */
async function join(fake: FakeControlPlane, workload: string): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    const client = createMeshClient({
      address: fake.address,
      expectedServer: fake.spiffeId,
      bundle: () => fake.bundle,
      clock: systemClock,
    });
    const attestation = { kind: 'join-token', token: `token-of-${workload}` } as const;
    const joined = await client.issueCertificate({ csr, attestation }, { deadlineMs: 25_000, signal }).then(
      ({ ok }) => ok,
      () => false,
    );
    client.close();
    if (joined) return tries;
    await systemClock.sleep(backoffMs(tries, { baseMs: 250, maxMs: 10_000 }, systemRandom()));
  }
}

describe('strangers leave room for others (A41)', () => {
  test('the oldest of their connections give way: 300 that say nothing do not stop a join', async () => {
    await using fake = await startFakeControlPlane();
    const strangers: TLSSocket[] = [];
    for (let i = 0; i < 15; i += 1)
      strangers.push(...(await Promise.all(Array.from({ length: 20 }, () => stranger(fake)))));
    await expect.poll(() => open(strangers)).toBeLessThanOrEqual(64);
    expect(open(strangers.slice(-40))).toBe(40);
    expect(await join(fake, 'prices')).toBe(1);
    strangers.forEach((socket) => socket.destroy());
  });

  test('a handshake that was never begun gives way to a newer one', async () => {
    await using fake = await startFakeControlPlane();
    const strangers = await Promise.all(
      Array.from({ length: 400 }, async () => {
        const socket = connectTcp(fake.port, '127.0.0.1').on('error', () => undefined);
        await once(socket, 'connect');
        return socket.resume();
      }),
    );
    await expect.poll(() => open(strangers)).toBeLessThanOrEqual(128);
    expect(await join(fake, 'prices')).toBe(1);
    strangers.forEach((socket) => socket.destroy());
  });

  test('without a certificate a connection has 8 s in all, whatever it says', async () => {
    const clock = createFakeClock(systemClock.now());
    await using fake = await startFakeControlPlane({ clock });
    const session = await strangerSession(fake);
    await clock.advance(7999);
    expect(session.destroyed).toBe(false);
    await clock.advance(1);
    await expect.poll(() => session.destroyed).toBe(true);
  });

  test('200 that join at the same moment from one address all get in', { timeout: 30_000 }, async () => {
    await using fake = await startFakeControlPlane();
    const tries = await Promise.all(Array.from({ length: 200 }, (_none, index) => join(fake, `w${index}`)));
    expect(tries).toHaveLength(200);
    expect(fake.issueCalls).toHaveLength(200); // nobody's answer was cut off
  });

  test('33 KiB are refused before they were read, and a connection carries two requests at a time', async () => {
    await using fake = await startFakeControlPlane();
    const session = await strangerSession(fake);
    expect(session.remoteSettings.maxConcurrentStreams).toBe(2);
    const stream = session.request(issuePath).on('error', () => undefined);
    stream.write(Buffer.from([0, 0, 0, 0x84, 0, 1]));
    const [headers] = (await once(stream, 'response')) as [Record<string, string>];
    expect(headers['grpc-status']).toBe('8');
    session.destroy();
  });
});
