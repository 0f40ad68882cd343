import { expect, test } from 'vitest';
import type { H2Session } from '#agent/h2/types.ts';
import type { IdentitySnapshot } from '#agent/identity/store.ts';
import type { ReProof } from '#agent/proof/re-proof.ts';
import { PeerSession } from '#agent/tunnel/peer-session.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { createTestDomain } from '#support/identities.ts';

test('a session counts as shown with a later certificate once its proof has left, not while that waits for window (S52)', async () => {
  const domain = await createTestDomain();
  const [first, second] = [await domain.identity('cart', 60_000), await domain.identity('cart', 60_000)];
  const clock = createFakeClock(Date.now());
  const identity: IdentitySnapshot = { ...first, generation: 1 };
  const proofs = { ownNotAfterMs: first.svid.notAfterMs, peerNotAfterMs: first.svid.notAfterMs };
  const nobody = { onAging: () => undefined, onRetired: () => undefined, onClosed: () => undefined };
  const order = { identity, proofs, whenExpired: 'keep', onSilent: () => undefined } as const;
  const session = new PeerSession(order, nobody, clock);
  let isSent = true;
  const proof: ReProof = {
    isRunning: true,
    get isSent() {
      return isSent;
    },
    end: () => undefined,
  };
  const opened = session.open(() => ({ ping: () => undefined }) as unknown as H2Session, 1_000);
  session.onReady();
  expect(await opened).toBe(true);
  session.startProof(() => proof);
  expect(session.ownThumbprint).toBe(first.svid.thumbprint);
  isSent = false;
  session.shown(second.svid);
  expect(session.ownThumbprint).toBe(first.svid.thumbprint);
  isSent = true;
  expect(session.ownThumbprint).toBe(second.svid.thumbprint);
  isSent = false;
  expect(session.ownThumbprint).toBe(second.svid.thumbprint);
});
