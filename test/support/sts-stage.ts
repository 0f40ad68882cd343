import { randomBytes } from 'node:crypto';
import type { X509Svid } from '#certs/svid.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import { createSealer } from '#control-plane/ca/sealing.ts';
import { openSigningKeys, type SigningKeys } from '#control-plane/sts/signing-keys.ts';
import { createSts, type Sts, type StsParts, type TokenRequest } from '#control-plane/sts/sts.ts';
import type { RingTimes } from '#tokens/key-ring.ts';
import { openRegistryStage, clientText, serviceText, startMs, type RegistryStage } from './registrations.ts';
import { createTestCa } from './test-ca.ts';

const stsIssuer = 'https://sts.shop.example';
export const cartId = 'spiffe://shop.example/ns/default/sa/cart';
export const paymentsId = 'spiffe://shop.example/ns/default/sa/payments';

const yearMs = 365 * 24 * 3_600_000;

export const ringTimes: RingTimes = {
  rotateEveryMs: 3_600_000,
  publishAheadMs: 600_000,
  maxTokenLifeMs: 900_000,
  skewMs: 60_000,
};

export interface StsStage {
  readonly sts: Sts;
  readonly keys: SigningKeys;
  readonly registry: RegistryStage;
  /** An SVID of a workload of the trust domain, valid for an hour unless told otherwise. */
  svid(workload: string, lifeMs?: number): X509Svid;
  /** Opens keys and service anew on the same store. */
  restart(): Promise<void>;
}

/** `cart` may call `payments` (read and write) for itself and for others; `payments` may call `ledger` for others. */
export const shopTexts: readonly string[] = [
  serviceText(paymentsId),
  serviceText('ledger', { scopes: ['payments.read', 'ledger.write'] }),
  workloadText('cart', [{ audience: paymentsId, scopes: ['payments.read', 'payments.write'] }]),
  workloadText('payments', [{ audience: 'ledger', scopes: ['payments.read', 'ledger.write'] }]),
];

export function workloadText(name: string, access: readonly object[], spec: object = {}): string {
  const grants = ['client_credentials', 'token_exchange'];
  return clientText(`spiffe://shop.example/ns/default/sa/${name}`, { authentication: 'svid', grants, access, ...spec });
}

/** The token service in this process, over a registry with a clock that is moved by hand. */
export async function openStsStage(changes: Partial<StsParts> = {}, times = ringTimes): Promise<StsStage> {
  const registry = openRegistryStage();
  const { store, clock } = registry;
  const ca = createTestCa({ trustDomain: 'shop.example', nowMs: startMs, root: { notAfterMs: startMs + yearMs } });
  const issuing = ca.intermediate({ notAfterMs: startMs + yearMs });
  const sealer = await createSealer({ source: 'key-file', bytes: randomBytes(32) }, randomBytes(32));
  const emit = () => undefined;
  const open = async () => {
    const keys = await openSigningKeys({ store, sealer, times, clock, emit });
    const limits = {
      tokensPerClient: { burst: 1_000, perSecond: 100 },
      failedClientsPerAddress: { burst: 1_000, perSecond: 100 },
    };
    const base = { issuer: stsIssuer, trustDomain: 'shop.example', lifeMs: 300_000, store, limits, clock, emit, keys };
    return { keys, sts: createSts({ ...base, registry: registry.administration.registry, ...changes }) };
  };
  const registered = await registry.register(shopTexts);
  if (registered.problems.length > 0) throw new Error(JSON.stringify(registered.problems));
  let opened = await open();
  return {
    get sts() {
      return opened.sts;
    },
    get keys() {
      return opened.keys;
    },
    registry,
    svid(workload, lifeMs = 3_600_000) {
      const name = `spiffe://shop.example/ns/default/sa/${workload}`;
      const nowMs = clock.now();
      const { chainDer } = issuing.leaf(workload, {
        names: [{ kind: 'uri', text: name }],
        notBeforeMs: nowMs - 60_000,
        notAfterMs: nowMs + lifeMs,
      });
      const svid = verifySvid(chainDer, { bundle: ca.bundle, nowMs });
      if (!svid.ok) throw new Error(svid.reason);
      return svid.value;
    },
    async restart() {
      registry.restart();
      opened = await open();
    },
  };
}

/** What a workload asks for by its SVID; bound to it. */
export function asked(changes: Partial<TokenRequest> = {}): TokenRequest {
  return {
    credentials: { kind: 'svid', clientId: undefined },
    audience: paymentsId,
    scopes: [],
    subject: undefined,
    requestedTokenType: '',
    binding: 'certificate',
    ...changes,
  };
}
