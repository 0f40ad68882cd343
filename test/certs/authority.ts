import { randomBytes } from 'node:crypto';
import { issueIntermediate, issueRoot } from '#certs/issue-authority.ts';
import { createIssuer, type Issuer, type SvidOrder } from '#certs/issue-svid.ts';
import { exportSpki, generateSerial, type KeyPair } from '#certs/keys.ts';
import { parseSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import { createTrustBundle, type TrustBundle } from '#certs/trust-bundle.ts';
import { makeKeys } from '#support/test-ca.ts';

/** A moment that is not a whole second, so that rounding shows. */
export const nowMs = Date.UTC(2026, 10, 22, 5, 56, 7) + 345;
export const hourMs = 3_600_000;

export function id(text: string): SpiffeId {
  const parsed = parseSpiffeId(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.reason}`);
  return parsed.value;
}

export const prices = id('spiffe://shop.example/ns/default/sa/prices');

export interface OwnAuthority {
  readonly rootDer: Buffer;
  readonly issuer: Issuer;
  readonly bundle: TrustBundle;
}

/** Root and intermediate, made by the product's own code. */
export async function createAuthority(trustDomain = 'shop.example', atMs = nowMs): Promise<OwnAuthority> {
  const [rootKeys, keys] = [makeKeys(), makeKeys()];
  const [issuedAtMs, lifeMs] = [atMs, 24 * hourMs];
  const rootDer = issueRoot({ trustDomain, issuedAtMs, lifeMs, serial: generateSerial() }, rootKeys);
  const order = {
    trustDomain,
    issuedAtMs,
    lifeMs,
    serial: generateSerial(),
    spkiDer: exportSpki(keys.publicKey),
  };
  const der = await issueIntermediate(order, createIssuer(rootDer, rootKeys.privateKey));
  const bundle = createTrustBundle({ trustDomain, version: 1, roots: [rootDer] });
  if (!bundle.ok) throw new Error(bundle.reason);
  return { rootDer, issuer: createIssuer(der, keys.privateKey), bundle: bundle.value };
}

export function orderFor(keys: KeyPair, changes: Partial<SvidOrder> = {}): SvidOrder {
  const serial = randomBytes(16);
  serial[0] = 0x80; // the highest bit: a positive INTEGER then needs a leading zero byte
  return {
    spiffeId: prices,
    spkiDer: exportSpki(keys.publicKey),
    issuedAtMs: nowMs,
    lifeMs: hourMs,
    serial,
    ...changes,
  };
}
