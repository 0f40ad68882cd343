import { once } from 'node:events';
import { connect } from 'node:tls';
import { expect, test } from 'vitest';
import { createMeshClient } from '#proto/mesh-client.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { issue, startTestControlPlane } from '#support/start-control-plane.ts';
import { makeKeys } from '#support/test-ca.ts';

const joinToken = (token: string) => ({ kind: 'join-token', token }) as const;

/** The serial of the certificate that a new connection is shown. */
async function shownSerial(port: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ALPNProtocols: ['h2'], rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { serialNumber = '' } = socket.getPeerX509Certificate() ?? {};
  socket.destroy();
  return serialNumber.toLowerCase();
}

test('the server’s own SVID is swapped live: open connections stay, new ones see the new one', async () => {
  const clock = createFakeClock(systemClock.now());
  await using mesh = await startTestControlPlane({ svidLife: '15s' }, { clock }); // its own life: 1 min
  const first = mesh.client();
  expect((await issue(first, makeKeys(), joinToken(await mesh.joinToken('prices')))).ok).toBe(true);
  const before = await shownSerial(mesh.controlPlane.port);
  await clock.advance(40_000);
  await expect.poll(() => mesh.events.map(({ event }) => event)).toContain('own-svid.rotated');
  const rotated = mesh.events.find((event) => event.event === 'own-svid.rotated');
  expect(await shownSerial(mesh.controlPlane.port)).toBe(rotated?.serialHex);
  expect(rotated?.serialHex).not.toBe(before);
  expect((await issue(first, makeKeys(), joinToken(await mesh.joinToken('prices')))).ok).toBe(true);
  expect((await issue(mesh.client(), makeKeys(), joinToken(await mesh.joinToken('prices')))).ok).toBe(true);
});

test('an impostor with the same name under another root gets no token (A66)', async () => {
  await using mesh = await startTestControlPlane();
  await using impostor = await startTestControlPlane();
  const client = createMeshClient({
    address: `127.0.0.1:${impostor.controlPlane.port}`,
    expectedServer: mesh.controlPlane.spiffeId,
    bundle: () => mesh.controlPlane.trustBundle,
    clock: systemClock,
  });
  await expect(issue(client, makeKeys(), joinToken(await mesh.joinToken('prices')))).rejects.toMatchObject({
    code: 'CONTROL_PLANE_UNTRUSTED',
  });
  client.close();
  expect(impostor.events.map(({ event }) => event)).not.toContain('certificate.refused');
});
