import { randomBytes } from 'node:crypto';
import { readFile, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readCertificate } from '#certs/certificate.ts';
import { buildCsr } from '#certs/csr.ts';
import { generateKeyPair } from '#certs/keys.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import { verifyAuditChain } from '#control-plane/audit/record.ts';
import { openStore } from '#control-plane/store/sqlite.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { issue, options, startTestControlPlane, type TestControlPlane } from '#support/start-control-plane.ts';
import { createTestCa, makeKeys, makeWeakKeys } from '#support/test-ca.ts';

const prices = 'spiffe://shop.example/ns/default/sa/prices';
const joinToken = (token: string) => ({ kind: 'join-token', token }) as const;
const currentSvid = { kind: 'current-svid' } as const;

/** The audit log, once the control plane has let go of its store. */
async function auditOf(mesh: TestControlPlane): Promise<Record<string, unknown>[]> {
  await mesh.controlPlane.close();
  const store = openStore(join(mesh.dataDir, 'store.sqlite'));
  const rows = [...store.auditRows()];
  store.close();
  expect(verifyAuditChain(rows)).toMatchObject({ ok: true, value: { records: rows.length } });
  return rows.map(({ body }) => JSON.parse(body));
}

describe('a join token', () => {
  test('gets one SVID of the workload it was made for, and the CA’s clock', async () => {
    await using mesh = await startTestControlPlane({ svidLife: '10s' });
    const keys = await generateKeyPair();
    const before = systemClock.now();
    const reply = await issue(mesh.client(), keys, joinToken(await mesh.joinToken('prices')));
    if (!reply.ok) throw new Error(reply.reason.reason);
    const svid = verifySvid(reply.value.chain, { bundle: mesh.controlPlane.trustBundle, nowMs: systemClock.now() });
    expect(svid).toMatchObject({ ok: true, value: { spiffeId: prices } });
    expect(reply.value.chain).toHaveLength(2);
    expect(reply.value.signedAtMs).toBeGreaterThanOrEqual(before);
    const life = svid.ok ? svid.value.notAfterMs - reply.value.signedAtMs : 0;
    expect(life).toBeGreaterThanOrEqual(10_000);
    expect(life).toBeLessThan(11_000); // X.509 has whole seconds
  });

  test('works once: the second use is refused, audited, and costs the first nothing (A35, S42)', async () => {
    await using mesh = await startTestControlPlane();
    const token = await mesh.joinToken('prices');
    const client = mesh.client();
    expect((await issue(client, await generateKeyPair(), joinToken(token))).ok).toBe(true);
    expect(await issue(client, await generateKeyPair(), joinToken(token))).toEqual({
      ok: false,
      reason: { code: 'unauthenticated', reason: 'join-token-not-accepted' },
    });
    const audit = await auditOf(mesh);
    expect(audit.map(({ kind, reason }) => reason ?? kind)).toEqual([
      'authority-created',
      'authority-created',
      'certificate-issued', // the control plane's own
      'workload-registered',
      'join-token-created',
      'certificate-issued',
      'join-token-spent',
    ]);
    expect(audit.at(-1)).toMatchObject({
      spiffeId: prices,
      attestation: 'join-token',
      peer: expect.stringContaining('127.0.0.1:'),
    });
    expect(JSON.stringify(audit)).not.toContain(token.split('.')[2]);
  });

  test('of ten uses at the same moment one wins', async () => {
    await using mesh = await startTestControlPlane();
    const token = joinToken(await mesh.joinToken('prices'));
    const client = mesh.client();
    const replies = await Promise.all(Array.from({ length: 10 }, () => issue(client, makeKeys(), token)));
    expect(replies.filter(({ ok }) => ok)).toHaveLength(1);
  });

  test('is spent for ever: a restart does not bring it back', async () => {
    await using mesh = await startTestControlPlane();
    const token = joinToken(await mesh.joinToken('prices'));
    expect((await issue(mesh.client(), makeKeys(), token)).ok).toBe(true);
    await mesh.restart();
    expect((await issue(mesh.client(), makeKeys(), token)).ok).toBe(false);
  });

  test.each([
    ['made up', () => `ew1.${'0'.repeat(16)}.${randomBytes(32).toString('base64url')}`],
    ['with another secret', (token: string) => token.slice(0, -43) + randomBytes(32).toString('base64url')],
    ['cut', (token: string) => token.slice(0, -1)],
    ['with something behind', (token: string) => `${token}x`],
    ['of another form', () => 'password'],
  ])('%s is refused and audited without its text', async (_name, change) => {
    await using mesh = await startTestControlPlane();
    const token = change(await mesh.joinToken('prices'));
    expect(await issue(mesh.client(), makeKeys(), joinToken(token))).toMatchObject({
      reason: { code: 'unauthenticated', reason: 'join-token-not-accepted' },
    });
    const last = (await auditOf(mesh)).at(-1);
    expect(last).toMatchObject({ kind: 'certificate-refused', reason: 'unknown-join-token' });
    expect(JSON.stringify(last)).not.toContain(token.slice(-20));
  });

  test('expires', async () => {
    const clock = createFakeClock(systemClock.now());
    await using mesh = await startTestControlPlane({}, { clock });
    const token = await mesh.joinToken('prices', 60_000);
    await clock.advance(60_000);
    expect((await issue(mesh.client(), makeKeys(), joinToken(token))).ok).toBe(false);
    expect((await auditOf(mesh)).at(-1)).toMatchObject({ reason: 'join-token-expired' });
  });

  test('for the control plane’s own name cannot be made', async () => {
    await using mesh = await startTestControlPlane();
    const request = { workload: 'control-plane', namespace: 'eastwest-system', ttlMs: 1000 };
    expect(await mesh.admin.createJoinToken(request, options)).toMatchObject({
      reason: { reason: 'reserved-workload-name' },
    });
  });

  test('is in no file of the data directory, and the socket that makes it is its owner’s alone (A64)', async () => {
    await using mesh = await startTestControlPlane();
    const token = await mesh.joinToken('prices');
    const secret = token.split('.')[2] as string;
    for (const name of await readdir(mesh.dataDir)) {
      if (name === 'admin.sock') continue;
      expect((await readFile(join(mesh.dataDir, name))).includes(secret), name).toBe(false);
    }
    expect((await stat(mesh.controlPlane.adminSocket)).mode & 0o777).toBe(0o600);
    expect((await stat(dirname(mesh.controlPlane.adminSocket))).mode & 0o777).toBe(0o700);
  });
});

describe('renewal', () => {
  test('is proved by the current SVID; the bootstrap secret is on the wire once per start (S39, S40, S42)', async () => {
    await using mesh = await startTestControlPlane();
    let identity = await mesh.join('prices');
    for (let renewal = 0; renewal < 3; renewal += 1) {
      const keys = await generateKeyPair();
      const reply = await issue(mesh.client(identity), keys, currentSvid);
      if (!reply.ok) throw new Error(reply.reason.reason);
      const svid = verifySvid(reply.value.chain, { bundle: mesh.controlPlane.trustBundle, nowMs: systemClock.now() });
      if (!svid.ok) throw new Error(svid.reason);
      expect(svid.value.spiffeId).toBe(prices);
      identity = { svid: svid.value, privateKey: keys.privateKey };
    }
    const issued = (await auditOf(mesh)).filter(
      ({ kind, spiffeId }) => kind === 'certificate-issued' && spiffeId === prices,
    );
    expect(issued.map(({ attestation }) => attestation)).toEqual([
      'join-token',
      'current-svid',
      'current-svid',
      'current-svid',
    ]);
    expect(new Set(issued.map(({ serial }) => serial)).size).toBe(4);
  });

  test('needs an SVID, and one of ours', async () => {
    await using mesh = await startTestControlPlane();
    expect(await issue(mesh.client(), makeKeys(), currentSvid)).toMatchObject({ reason: { code: 'unauthenticated' } });
    const theirs = createTestCa({ nowMs: systemClock.now() });
    const { keys, chainDer } = theirs.leaf('prices');
    const svid = verifySvid(chainDer, { bundle: theirs.bundle, nowMs: systemClock.now() });
    if (!svid.ok) throw new Error(svid.reason);
    const stranger = mesh.client({ svid: svid.value, privateKey: keys.privateKey });
    expect(await issue(stranger, makeKeys(), currentSvid)).toMatchObject({ reason: { code: 'unauthenticated' } });
    expect((await auditOf(mesh)).at(-1)).toMatchObject({ reason: 'no-current-svid' });
  });

  test('on a connection that outlived its SVID is refused', async () => {
    const clock = createFakeClock(systemClock.now());
    await using mesh = await startTestControlPlane({ svidLife: '10s' }, { clock });
    const identity = await mesh.join('prices');
    const client = mesh.client(identity);
    expect((await issue(client, makeKeys(), currentSvid)).ok).toBe(true);
    await clock.advance(identity.svid.notAfterMs - clock.now());
    expect(await issue(client, makeKeys(), currentSvid)).toMatchObject({
      reason: { reason: 'current-svid-not-accepted' },
    });
  });
});

describe('a CSR proves possession of a key and nothing else (A41)', () => {
  test.each([
    ['rubbish', () => randomBytes(200), 'csr-malformed'],
    ['nothing', () => Buffer.alloc(0), 'csr-malformed'],
    ['17 KiB', () => randomBytes(17 * 1024), 'csr-too-large'],
    ['a broken signature', () => flipped(buildCsr(makeKeys())), 'csr-bad-signature'],
    ['RSA 1024', () => buildCsr(makeWeakKeys('rsa-1024')), 'csr-weak-key'],
    ['P-192', () => buildCsr(makeWeakKeys('p-192')), 'csr-weak-key'],
  ])('%s is refused, and the token stays good', async (_name, csr, reason) => {
    await using mesh = await startTestControlPlane();
    const attestation = joinToken(await mesh.joinToken('prices'));
    const client = mesh.client();
    expect(await client.issueCertificate({ csr: csr(), attestation }, options)).toEqual({
      ok: false,
      reason: { code: 'invalid-argument', reason },
    });
    expect((await issue(client, makeKeys(), attestation)).ok).toBe(true);
    expect((await auditOf(mesh)).at(-2)).toMatchObject({ kind: 'certificate-refused', reason, spiffeId: prices });
  });

  test('a key that another identity holds is refused, its own holder may use it again', async () => {
    await using mesh = await startTestControlPlane();
    const keys = makeKeys();
    const client = mesh.client();
    expect((await issue(client, keys, joinToken(await mesh.joinToken('prices')))).ok).toBe(true);
    expect(await issue(client, keys, joinToken(await mesh.joinToken('orders')))).toEqual({
      ok: false,
      reason: { code: 'permission-denied', reason: 'key-of-another-identity' },
    });
    expect((await issue(client, keys, joinToken(await mesh.joinToken('prices')))).ok).toBe(true);
    const shared = makeKeys();
    const [one, two] = [joinToken(await mesh.joinToken('a')), joinToken(await mesh.joinToken('b'))];
    const both = await Promise.all([issue(client, shared, one), issue(client, shared, two)]);
    expect(both.filter(({ ok }) => ok)).toHaveLength(1); // in the same turn
  });

  test('a leaf never outlives its issuer, nor has more than it may', async () => {
    await using mesh = await startTestControlPlane({ svidLife: '24h' });
    const { svid } = await mesh.join('prices');
    const [leaf, intermediate] = svid.chainDer.map((der) => readCertificate(der));
    if (!leaf?.ok || !intermediate?.ok) throw new Error('unreadable');
    expect(leaf.value.notAfterMs).toBeLessThanOrEqual(intermediate.value.notAfterMs);
    expect(leaf.value.extensions.names).toHaveLength(1);
  });
});

describe('limits', () => {
  test('each identity has its own, and is told when to come back', async () => {
    await using mesh = await startTestControlPlane({ limits: { issuePerIdentity: { burst: 2, perSecond: 0.1 } } });
    const client = mesh.client(await mesh.join('prices'));
    expect((await issue(client, makeKeys(), currentSvid)).ok).toBe(true);
    const refused = await issue(client, makeKeys(), currentSvid);
    expect(refused).toMatchObject({ ok: false, reason: { code: 'resource-exhausted', reason: 'rate-limited' } });
    const retryAfterMs = refused.ok ? 0 : (refused.reason.retryAfterMs ?? 0);
    expect(retryAfterMs).toBeGreaterThan(8000);
    expect(retryAfterMs).toBeLessThanOrEqual(10_000);
    expect((await mesh.join('orders')).svid.spiffeId).toContain('orders');
    await issue(client, makeKeys(), currentSvid);
    expect((await auditOf(mesh)).filter(({ reason }) => reason === 'rate-limited')).toHaveLength(1); // a flood writes no flood
  });

  test('guessing tokens is slowed down by address, and said once in the audit log (A35)', async () => {
    await using mesh = await startTestControlPlane({
      limits: { failedAttestationsPerAddress: { burst: 3, perSecond: 0.01 } },
    });
    const client = mesh.client();
    const reasons: string[] = [];
    for (let guess = 0; guess < 6; guess += 1) {
      const reply = await issue(
        client,
        makeKeys(),
        joinToken(`ew1.${randomBytes(8).toString('hex')}.${'x'.repeat(43)}`),
      );
      reasons.push(reply.ok ? 'issued' : reply.reason.reason);
    }
    expect(reasons).toEqual([
      ...Array.from({ length: 3 }, () => 'join-token-not-accepted'),
      ...Array.from({ length: 3 }, () => 'too-many-failed-attestations'),
    ]);
    expect((await mesh.join('orders')).svid.spiffeId).toContain('orders'); // a good token from the same address still works
    const audit = await auditOf(mesh);
    expect(audit.filter(({ kind }) => kind === 'certificate-refused')).toHaveLength(4);
  });
});

function flipped(csr: Buffer): Buffer {
  const broken = Buffer.from(csr);
  broken.writeUInt8(broken.readUInt8(broken.length - 1) ^ 1, broken.length - 1);
  return broken;
}
