import { once } from 'node:events';
import { connect as connectTcp, createServer, type AddressInfo } from 'node:net';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { meshPaths } from '#proto/messages.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { startFakeControlPlane } from '#support/fake-control-plane.ts';
import { clientOf, identityOf } from '#support/mesh-clients.ts';
import { createTestCa, type CertificateRecipe } from '#support/test-ca.ts';

const nowMs = systemClock.now();
const request = {
  csr: Buffer.from('not looked at'),
  attestation: { kind: 'join-token', token: 'token-of-prices' },
} as const;
const signal = new AbortController().signal;
const options = { deadlineMs: 5000, signal };

const fault = (code: string, message: RegExp | string = /./) => ({ code, message: expect.stringMatching(message) });

describe('an agent believes nobody but its own control plane (A66)', () => {
  const uri = (text: string): CertificateRecipe => ({ names: [{ kind: 'uri', text }] });
  test.each([
    ['another workload of the same trust domain', uri('spiffe://shop.example/ns/default/sa/prices'), 'other-spiffe-id'],
    [
      'a server of another trust domain under the same root',
      uri('spiffe://evil.example/ns/eastwest-system/sa/control-plane'),
      '.',
    ],
    ['a server with the right DNS name and no SPIFFE ID', { names: [{ kind: 'dns', text: 'control-plane' }] }, '.'],
    [
      'an expired certificate',
      { ...uri('spiffe://shop.example/ns/eastwest-system/sa/control-plane'), notAfterMs: nowMs - 5000 },
      'CERT_HAS_EXPIRED',
    ],
  ] satisfies [string, CertificateRecipe, string][])('%s is not trusted', async (_name, server, problem) => {
    await using fake = await startFakeControlPlane({ server });
    using client = clientOf(fake);
    await expect(client.issueCertificate(request, options)).rejects.toMatchObject(
      fault('CONTROL_PLANE_UNTRUSTED', problem),
    );
    expect(fake.issueCalls).toEqual([]); // the token never left
  });

  test.each([
    ['a wrong CA with the right name', createTestCa({ nowMs }).bundle],
    ['an old bundle, from before the root changed', createTestCa({ nowMs, root: { subject: 'Old root' } }).bundle],
  ])('%s is not trusted', async (_name, bundle) => {
    await using fake = await startFakeControlPlane();
    using client = clientOf(fake, { bundle: () => bundle });
    await expect(client.issueCertificate(request, options)).rejects.toMatchObject(fault('CONTROL_PLANE_UNTRUSTED'));
    expect(fake.issueCalls).toEqual([]);
  });

  test('the bundle is asked anew for each connection', async () => {
    await using fake = await startFakeControlPlane();
    const bundles = [createTestCa({ nowMs }).bundle, fake.bundle];
    let asked = 0;
    using client = clientOf(fake, { bundle: () => bundles[Math.min((asked += 1), 2) - 1] ?? fake.bundle });
    await expect(client.issueCertificate(request, options)).rejects.toMatchObject(fault('CONTROL_PLANE_UNTRUSTED'));
    await expect
      .poll(() =>
        client.issueCertificate(request, options).then(
          () => 'answered',
          () => 'refused',
        ),
      )
      .toBe('answered');
  });

  test('a server that speaks TLS 1.2 only is not trusted', async () => {
    await using fake = await startFakeControlPlane();
    const { chainPem, keyPem } = fake.ca.leaf('x', uri(fake.spiffeId));
    const old = createTlsServer({ cert: chainPem, key: keyPem, maxVersion: 'TLSv1.2', ALPNProtocols: ['h2'] }).listen(
      0,
      '127.0.0.1',
    );
    await once(old, 'listening');
    using client = clientOf(fake, { address: `127.0.0.1:${(old.address() as AddressInfo).port}` });
    await expect(client.issueCertificate(request, options)).rejects.toMatchObject(fault('CONTROL_PLANE_UNTRUSTED'));
    old.close();
  });
});

describe('calls end', () => {
  test('with CONTROL_PLANE_UNREACHABLE when nobody listens', async () => {
    const fake = await startFakeControlPlane();
    await fake[Symbol.asyncDispose]();
    using client = clientOf(fake);
    await expect(client.issueCertificate(request, options)).rejects.toMatchObject(fault('CONTROL_PLANE_UNREACHABLE'));
  });

  test('at the deadline when somebody listens and says nothing', async () => {
    await using fake = await startFakeControlPlane();
    const mute = createServer().listen(0, '127.0.0.1');
    await once(mute, 'listening');
    using client = clientOf(fake, { address: `127.0.0.1:${(mute.address() as AddressInfo).port}` });
    await expect(client.issueCertificate(request, { deadlineMs: 100, signal })).rejects.toMatchObject(
      fault('CONTROL_PLANE_UNREACHABLE'),
    );
    mute.close();
  });

  test('with the reason of the signal', async () => {
    await using fake = await startFakeControlPlane();
    fake.behave({ kind: 'delay', until: new Promise(() => undefined) });
    using client = clientOf(fake);
    const stop = new AbortController();
    const call = client.issueCertificate(request, { deadlineMs: 5000, signal: stop.signal });
    await expect.poll(() => fake.issueCalls.length).toBe(1);
    stop.abort(new Error('stopping'));
    await expect(call).rejects.toThrow('stopping');
  });

  test('with the refusal and when to come back', async () => {
    await using fake = await startFakeControlPlane();
    using client = clientOf(fake);
    fake.behave({
      kind: 'refuse',
      refusal: { code: 'resource-exhausted', reason: 'rate-limited', retryAfterMs: 1200 },
    });
    expect(await client.issueCertificate(request, options)).toEqual({
      ok: false,
      reason: { code: 'resource-exhausted', reason: 'rate-limited', retryAfterMs: 2000 },
    });
    fake.behave({ kind: 'refuse', refusal: { code: 'unauthenticated', reason: 'join-token-not-accepted' } });
    expect(await client.issueCertificate(request, options)).toMatchObject({ reason: { code: 'unauthenticated' } });
    fake.behave({ kind: 'break' });
    await expect(client.issueCertificate(request, options)).rejects.toMatchObject(fault('CONTROL_PLANE_UNREACHABLE'));
  });
});

describe('a watch', () => {
  const subscribe = { kind: 'subscribe', upstreams: ['orders'], endpoints: [], agentVersion: '1', ports: [] } as const;

  test('carries both directions, and ends when the SVID behind it expires', async () => {
    await using fake = await startFakeControlPlane();
    fake.greet([{ kind: 'settings', version: 1, svidLifeMs: 10_000 }]);
    using client = clientOf(fake, { identity: await identityOf(fake.ca, 2500) });
    const stream = client.watch(signal);
    await stream.send(subscribe);
    const heard: unknown[] = [];
    for await (const message of stream.messages) heard.push(message);
    expect(heard).toEqual([{ kind: 'settings', version: 1, svidLifeMs: 10_000 }]);
  });

  test('without an SVID is refused', async () => {
    await using fake = await startFakeControlPlane();
    using client = clientOf(fake);
    const stream = client.watch(signal);
    await stream.send(subscribe);
    await expect(stream.messages[Symbol.asyncIterator]().next()).rejects.toMatchObject(
      fault('CONTROL_PLANE_REFUSED', 'current-svid'),
    );
  });

  test('with an SVID of another root is nobody’s', async () => {
    await using fake = await startFakeControlPlane();
    using client = clientOf(fake, { identity: await identityOf(createTestCa({ nowMs })) });
    const stream = client.watch(signal);
    await stream.send(subscribe);
    await expect(stream.messages[Symbol.asyncIterator]().next()).rejects.toMatchObject(fault('CONTROL_PLANE_REFUSED'));
  });

  test('that cannot be understood is answered so, and goes on', async () => {
    await using fake = await startFakeControlPlane();
    using client = clientOf(fake, { identity: await identityOf(fake.ca) });
    const stream = client.watch(signal);
    await stream.send(subscribe);
    const theirs = await fake.nextStream();
    const messages = stream.messages[Symbol.asyncIterator]();
    await theirs.send({ kind: 'settings', version: 4, svidLifeMs: 0 });
    await theirs.send({ kind: 'settings', version: 5, svidLifeMs: 9000 });
    expect((await messages.next()).value).toEqual({ kind: 'settings', version: 5, svidLifeMs: 9000 });
    await expect.poll(() => theirs.requests).toContainEqual({ kind: 'acknowledge', version: 4, problem: 'bad-time' });
    fake.dropStreams();
    expect((await messages.next()).done).toBe(true);
  });
});

describe.concurrent('a server gives strangers little time and room', () => {
  const raw = { ALPNProtocols: ['h2'], rejectUnauthorized: false } as const;

  test('no TLS 1.2', async () => {
    await using fake = await startFakeControlPlane();
    const socket = connectTls({ ...raw, host: '127.0.0.1', port: fake.port, maxVersion: 'TLSv1.2' });
    const [error] = (await once(socket, 'error').catch((cause: unknown) => [cause])) as [Error];
    expect(error.message).toMatch(/protocol version|ECONNRESET/i);
  });

  test('a handshake that does not happen is cut after 5 s', { timeout: 15_000 }, async () => {
    await using fake = await startFakeControlPlane();
    const socket = connectTcp(fake.port, '127.0.0.1');
    const begun = systemClock.monotonic();
    await once(socket.resume(), 'close');
    expect(systemClock.monotonic() - begun).toBeLessThan(8000);
  });

  test('a request that trickles in is ended after 5 s (A41)', async () => {
    const clock = createFakeClock(nowMs);
    await using fake = await startFakeControlPlane({ clock });
    const session = connectHttp2(`https://127.0.0.1:${fake.port}`, { ...raw, ca: fake.ca.bundlePem });
    const stream = session.request({
      ':method': 'POST',
      ':path': meshPaths.issueCertificate,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.write(Buffer.from([0, 0, 0, 64, 0, 1])); // 16 KiB announced, one byte sent
    const response = once(stream, 'response');
    await expect.poll(() => clock.waiting()).toBe(2); // the stream's first message, and the stranger's 8 s
    await clock.advance(5000);
    await clock.advance(100);
    const [headers] = (await response) as [Record<string, string>];
    expect(headers['grpc-status']).toBe('4');
    expect(headers['grpc-message']).toBe('request-too-slow');
    stream.on('error', () => undefined).destroy();
    session.destroy();
    expect(fake.issueCalls).toEqual([]);
  });

  test('a request that came in time is read, though the server stood still until its deadline', async () => {
    const clock = createFakeClock(nowMs);
    await using fake = await startFakeControlPlane({ clock });
    const session = connectHttp2(`https://127.0.0.1:${fake.port}`, { ...raw, ca: fake.ca.bundlePem });
    const stream = session.request({
      ':method': 'POST',
      ':path': meshPaths.issueCertificate,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const response = once(stream, 'response');
    stream.write(Buffer.from([0, 0, 0, 0, 2, 1]));
    await expect.poll(() => clock.waiting()).toBe(2);
    await clock.advance(5000);
    stream.end(Buffer.from([0])); // what waits in its socket
    const [headers] = (await response) as [Record<string, string>];
    expect(headers).toMatchObject({ 'grpc-status': '3', 'grpc-message': 'malformed' }); // it was read
    await clock.advance(100);
    session.destroy();
  });

  test('1 MiB is refused before it was read (A41)', async () => {
    await using fake = await startFakeControlPlane();
    const session = connectHttp2(`https://127.0.0.1:${fake.port}`, { ...raw, ca: fake.ca.bundlePem });
    const stream = session.request({
      ':method': 'POST',
      ':path': meshPaths.issueCertificate,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => undefined);
    stream.write(Buffer.concat([Buffer.from([0, 0, 16, 0, 0]), Buffer.alloc(2 ** 20)]));
    const [headers] = (await once(stream, 'response')) as [Record<string, string>];
    expect(headers['grpc-status']).toBe('8');
    session.destroy();
    expect(fake.issueCalls).toEqual([]);
  });
});
