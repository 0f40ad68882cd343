import { randomBytes } from 'node:crypto';
import { createIdentityStore, type IdentityStore } from '#agent/identity/store.ts';
import type { AuthenticatorKeys, TlsRole } from '#agent/proof/authenticator-keys.ts';
import { ProofExchange, type ProofProblem } from '#agent/proof/proof-exchange.ts';
import type { VerifiedPeer } from '#agent/tls/verified-peer.ts';
import { someKeys } from '#support/authenticator-recipe.ts';
import { createFakeClock, type FakeClock } from '#support/fake-clock.ts';
import { createTestCa, type CertificateRecipe, type TestAuthority, type TestCertificate } from '#support/test-ca.ts';
import { identityOf } from '#support/test-identity.ts';

/** One end of a session, with what it was told. */
export interface ProofEnd {
  readonly workload: string;
  readonly identity: IdentityStore;
  readonly exchange: ProofExchange;
  /** Serial numbers that the other end has proved, and those that this one has shown. */
  readonly proved: string[];
  readonly shown: string[];
  readonly failed: ProofProblem[];
  /** Messages that left this end, oldest first. */
  readonly sent: Buffer[];
  /** A new certificate of the same workload; published unless `rotate` is told another name. */
  rotate(recipe?: CertificateRecipe & { readonly workload?: string }): TestCertificate;
}

/** Both ends of one session, joined by queues that a test empties. */
export interface ProofPair {
  readonly clock: FakeClock;
  readonly ca: TestAuthority;
  readonly keys: AuthenticatorKeys;
  readonly client: ProofEnd;
  readonly server: ProofEnd;
  /** Delivers what was sent, and what that causes, in pieces of at most `pieceBytes`. */
  settle(pieceBytes?: number): void;
}

const nowMs = Date.UTC(2026, 0, 1);

export function createProofPair(
  { ca, keys }: Pick<ProofPair, 'ca' | 'keys'> = { ca: createTestCa({ nowMs }), keys: someKeys() },
): ProofPair {
  const clock = createFakeClock(nowMs);
  const queues: Record<TlsRole, Buffer[]> = { client: [], server: [] };
  const stores = { client: createIdentityStore(), server: createIdentityStore() };
  const workloads = { client: 'orders', server: 'prices' };
  for (const role of ['client', 'server'] as const) {
    stores[role].replace(identityOf(ca.leaf(workloads[role]), { ca, nowMs }));
  }
  const peerOf = (role: TlsRole): VerifiedPeer => {
    const svid = stores[role].current()!.svid;
    return { spiffeId: svid.spiffeId, svid };
  };
  const end = (role: TlsRole): ProofEnd => {
    const [proved, shown, failed, sent]: [string[], string[], ProofProblem[], Buffer[]] = [[], [], [], []];
    const exchange = new ProofExchange({
      role,
      keys,
      identity: stores[role],
      shown: stores[role].current()!.svid,
      peer: peerOf(role === 'client' ? 'server' : 'client'),
      clock,
      randomBytes,
      send(bytes) {
        sent.push(bytes);
        queues[role].push(bytes);
      },
      onProved: ({ svid }) => void proved.push(svid.serialHex),
      onShown: ({ serialHex }) => void shown.push(serialHex),
      onFailed: (reason) => void failed.push(reason),
    });
    return {
      workload: workloads[role],
      identity: stores[role],
      exchange,
      proved,
      shown,
      failed,
      sent,
      rotate(recipe = {}) {
        const leaf = ca.leaf(recipe.workload ?? workloads[role], { notAfterMs: clock.now() + 3_600_000, ...recipe });
        stores[role].replace(identityOf(leaf, { ca, nowMs: clock.now() }));
        return leaf;
      },
    };
  };
  const pair = { client: end('client'), server: end('server') };
  return {
    clock,
    ca,
    keys,
    ...pair,
    settle(pieceBytes = Infinity) {
      while (queues.client.length + queues.server.length > 0) {
        for (const role of ['client', 'server'] as const) {
          const other = role === 'client' ? pair.server : pair.client;
          for (let bytes = queues[role].shift(); bytes !== undefined; bytes = queues[role].shift()) {
            for (let at = 0; at < bytes.length; at += pieceBytes) {
              other.exchange.receive(bytes.subarray(at, Math.min(bytes.length, at + pieceBytes)));
            }
          }
        }
      }
    },
  };
}
