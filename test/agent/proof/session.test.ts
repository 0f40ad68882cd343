import { describe, expect, test } from 'vitest';
import { MessageReader } from '#agent/proof/handshake-message.ts';
import { reProofContentType, reProofPath } from '#agent/proof/re-proof.ts';
import { buildAuthenticator } from '#support/authenticator-recipe.ts';
import { field, openProofSession, openStream, type ProofSession } from '#support/proof-session.ts';
import type { TestCertificate } from '#support/test-ca.ts';

const lifeMs = 10_000;

const provedLine = (end: { identity: ProofSession['client']['identity'] }): string =>
  `proved ${end.identity.current()!.svid.serialHex}`;

describe('a session of two agents over TLS', () => {
  test('carries a stream through twenty rotations at both ends, far beyond the life of any certificate (A46)', async () => {
    using session = await openProofSession({ lifeMs });
    const { client, server, clock, stream } = session;
    for (let round = 1; round <= 20; round += 1) {
      if (round % 3 !== 1) client.rotate(lifeMs);
      if (round % 3 !== 2) server.rotate(lifeMs);
      await Promise.all([
        ...(round % 3 !== 1 ? [server.logged(provedLine(client))] : []),
        ...(round % 3 !== 2 ? [client.logged(provedLine(server))] : []),
      ]);
      await stream.say(`round ${round}`);
      await clock.advance(lifeMs / 2 - 1_000);
      await stream.say(`still round ${round}`);
    }
    expect([client.log, server.log].flat().filter((line) => !line.startsWith('proved'))).toEqual([]);
    expect([client.reProof.isRunning, server.reProof.isRunning]).toEqual([true, true]);
    expect(server.peer.svid.serialHex).toBe(client.identity.current()!.svid.serialHex);
  });

  test.each(['client', 'server'] as const)('ends at both ends when the %s has nothing new to show', async (silent) => {
    using session = await openProofSession({ lifeMs });
    const { client, server, clock, stream } = session;
    const [quiet, other] = silent === 'client' ? [client, server] : [server, client];
    await stream.say('hello');
    other.rotate(lifeMs * 10);
    await quiet.logged(provedLine(other));
    await clock.advance(lifeMs - 1);
    await stream.say('not yet');
    await clock.advance(1);
    await Promise.all([client.logged('closed'), server.logged('closed')]);
    expect(other.log).toEqual(['expired', 'closed']);
    await expect(stream.say('gone')).rejects.toThrow('broke');
    expect(clock.waiting()).toBe(0);
  });

  test('ends by its certificates when the control stream was ended', async () => {
    using session = await openProofSession({ lifeMs });
    const { client, server, clock, stream } = session;
    client.rotate(lifeMs * 10);
    await server.logged(provedLine(client));
    client.reProof.end();
    await stream.say('without proof');
    server.rotate(lifeMs * 10);
    await stream.say('without more proof');
    expect([client.reProof.isRunning, server.reProof.isRunning]).toEqual([false, false]);
    await clock.advance(lifeMs);
    await server.logged('closed');
    expect(client.log.concat(server.log)).not.toContain(provedLine(server));
  });

  test('that is drained closes once its control stream has ended', async () => {
    using session = await openProofSession({ lifeMs });
    const { client, server, stream } = session;
    client.rotate(lifeMs);
    await server.logged(provedLine(client));
    stream.end();
    client.h2.drain();
    expect(client.h2.openStreams).toBeGreaterThan(0);
    client.reProof.end();
    await Promise.all([client.logged('closed'), server.logged('closed')]);
    expect(server.log).toEqual([provedLine(client), 'closed']);
    expect(session.clock.waiting()).toBe(0);
  });
});

/** A peer of the test's own making: it has the client's side of a real session, and speaks to the control stream itself. */
async function rogue(session: ProofSession) {
  const requests: Buffer[] = [];
  const reader = new MessageReader();
  const waiting: (() => void)[] = [];
  const control = openStream(
    session.client.h2,
    reProofPath,
    {
      onHeaders: () => undefined,
      onData(bytes) {
        const messages = reader.read(bytes);
        if (messages.ok) requests.push(...messages.value.map(({ whole }) => whole));
        for (const resolve of waiting.splice(0)) resolve();
      },
      onEnd: () => undefined,
      onReset: () => undefined,
      onDrain: () => undefined,
    },
    [field('content-type', reProofContentType)],
  );
  const requested = async (count: number): Promise<Buffer> => {
    while (requests.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
    return requests[count - 1]!;
  };
  const proof = (request: Buffer, { chainDer, keys }: TestCertificate): Buffer =>
    Buffer.concat(
      buildAuthenticator({
        keys: session.client.keys,
        sender: 'client',
        request,
        chainDer,
        privateKey: keys.privateKey,
      }),
    );
  return { control, requested, proof };
}

describe('a peer of a session over TLS', () => {
  test('that replays its old authenticator loses the session at once (A46)', async () => {
    using session = await openProofSession({ lifeMs, offer: 'none' });
    const { control, requested, proof } = await rogue(session);
    const old = proof(await requested(1), session.ca.leaf('orders'));
    control.data(old);
    while (session.server.log.length === 0) await session.clock.advance(1);
    await session.clock.advance(200);
    await requested(2);
    control.data(old);
    await session.server.logged('closed');
    expect(session.server.log.slice(1)).toEqual(['failed other-context', 'closed']);
    await session.client.logged('closed');
  });

  test.each<[what: string, bytes: (session: ProofSession, request: Buffer, proof: Prove) => Buffer, reason: string]>([
    ['shows another identity', ({ ca }, request, proof) => proof(request, ca.leaf('refunds')), 'other-identity'],
    [
      'shows an expired certificate',
      ({ ca, clock }, request, proof) => proof(request, ca.leaf('orders', { notAfterMs: clock.now() })),
      'expired',
    ],
    ['answers itself', (_session, request) => request, 'unexpected-message'],
    ['sends garbage', () => Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'unexpected-message'],
    ['sends more than a proof can be', () => Buffer.from('0bffffff', 'hex'), 'message-too-long'],
  ])('that %s loses the session at once (A46)', async (_what, bytes, reason) => {
    using session = await openProofSession({ lifeMs, offer: 'none' });
    const { control, requested, proof } = await rogue(session);
    const request = await requested(1);
    await session.stream.say('before');
    control.data(bytes(session, request, proof));
    await session.server.logged('closed');
    expect(session.server.log).toEqual([`failed ${reason}`, 'closed']);
    await expect(session.stream.say('after')).rejects.toThrow('broke');
    expect(session.server.reProof.isRunning).toBe(false);
  });

  test.each([
    ['END_STREAM', (control: Control) => control.end()],
    ['RST_STREAM', (control: Control) => control.reset(8)],
  ])('that ends its control stream with %s keeps the session until its certificate expires', async (_how, end) => {
    using session = await openProofSession({ lifeMs, offer: 'none' });
    const { control, requested } = await rogue(session);
    await requested(1);
    end(control);
    await session.stream.say('before');
    expect(session.server.reProof.isRunning).toBe(false);
    await session.clock.advance(lifeMs - 1);
    await session.stream.say('still');
    await session.clock.advance(1);
    await session.server.logged('closed');
    expect(session.server.log).toEqual(['expired', 'closed']);
  });
});

type Prove = (request: Buffer, certificate: TestCertificate) => Buffer;
type Control = Awaited<ReturnType<typeof rogue>>['control'];
