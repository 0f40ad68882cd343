import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readCertificate } from '#certs/certificate.ts';
import { issueIntermediate, issueRoot } from '#certs/issue-authority.ts';
import { createIssuer, type Issuer } from '#certs/issue-svid.ts';
import { exportSpki, generateKeyPair, generateSerial } from '#certs/keys.ts';
import { createTrustBundle, type TrustBundle } from '#certs/trust-bundle.ts';
import type { AuthorityKind, Store, StoredAuthority, Writer } from '#control-plane/store/store.ts';
import { Fault } from '#runtime/fault.ts';
import { singleFlight } from '#runtime/single-flight.ts';
import type { Sealer } from './sealing.ts';
import type { Unlocked } from './unlock.ts';

const yearMs = 365 * 24 * 3_600_000;
const rootLifeMs = 10 * yearMs;
const intermediateLifeMs = yearMs;

export interface CaCertificate {
  readonly kind: AuthorityKind;
  readonly certificateDer: Buffer;
  readonly serialHex: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** The CA: a root that signs intermediates only, and the intermediate that signs leaves. */
export interface Authority {
  readonly trustDomain: string;
  readonly trustBundle: TrustBundle;
  readonly root: CaCertificate;
  /** Signs now. */
  intermediate(): CaCertificate;
  issuer(): Issuer;
  /** Past 2/3 of the intermediate's life a new one takes over; leaves of the old one stay valid until they expire. */
  renewWhenDue(nowMs: number): Promise<CaCertificate | 'not-due'>;
}

/** Loads the CA, or makes root and intermediate, in one transaction, when the store is new. */
export async function openAuthority(
  store: Store,
  { sealer, keyEncryption }: Unlocked,
  { trustDomain, nowMs }: { trustDomain: string; nowMs: number },
): Promise<Authority> {
  const known = store.trustDomain();
  if (known === undefined) {
    const { root, rootKey } = await makeRoot(sealer, { trustDomain, nowMs });
    const intermediate = await makeIntermediate(
      sealer,
      { trustDomain, nowMs },
      createIssuer(root.certificateDer, rootKey),
    );
    await store.write((writer) => {
      writer.setUp(trustDomain, keyEncryption);
      record(writer, nowMs, root);
      record(writer, nowMs, intermediate);
    });
  } else if (known !== trustDomain) {
    throw new Fault(
      'OTHER_TRUST_DOMAIN',
      `this data directory belongs to the trust domain ${known}, not ${trustDomain}`,
      {
        hint: `start with --trust-domain ${known}, or with another --data-dir`,
      },
    );
  }
  return createAuthority(store, sealer, trustDomain);
}

function createAuthority(store: Store, sealer: Sealer, trustDomain: string): Authority {
  const stored = store.authorities();
  const storedRoot = stored.findLast(({ kind }) => kind === 'root');
  const storedIntermediate = stored.findLast(({ kind }) => kind === 'intermediate');
  if (storedRoot === undefined || storedIntermediate === undefined) {
    throw new Fault('STORE_DAMAGED', 'the store has no CA in it', { hint: 'restore the data directory from a backup' });
  }
  const root = describe(storedRoot);
  const bundle = createTrustBundle({ trustDomain, version: 1, roots: [root.certificateDer] });
  if (!bundle.ok) throw new Fault('STORE_DAMAGED', `the store's root is not one: ${bundle.reason}`);
  let current = describe(storedIntermediate);
  let issuer = createIssuer(storedIntermediate.certificateDer, openKey(sealer, storedIntermediate));
  let renewalTimeMs = 0;
  const renew = singleFlight(async () => {
    const rootIssuer = createIssuer(root.certificateDer, openKey(sealer, storedRoot)); // the root's key is open only now
    const next = await makeIntermediate(sealer, { trustDomain, nowMs: renewalTimeMs }, rootIssuer);
    await store.write((writer) => record(writer, renewalTimeMs, next));
    issuer = createIssuer(next.certificateDer, openKey(sealer, next));
    current = describe(next);
    return current;
  });
  return {
    trustDomain,
    trustBundle: bundle.value,
    root,
    intermediate: () => current,
    issuer: () => issuer,
    async renewWhenDue(nowMs) {
      const { notBeforeMs, notAfterMs } = current;
      if (nowMs < notBeforeMs + ((notAfterMs - notBeforeMs) * 2) / 3) return 'not-due';
      renewalTimeMs = nowMs;
      return renew();
    },
  };
}

type Moment = { readonly trustDomain: string; readonly nowMs: number };

async function makeRoot(
  sealer: Sealer,
  { trustDomain, nowMs }: Moment,
): Promise<{ root: StoredAuthority; rootKey: KeyObject }> {
  const keyPair = await generateKeyPair();
  const order = { trustDomain, issuedAtMs: nowMs, lifeMs: rootLifeMs, serial: generateSerial() };
  const certificateDer = issueRoot(order, keyPair);
  return {
    root: { kind: 'root', certificateDer, sealedKey: sealKey(sealer, keyPair.privateKey, certificateDer) },
    rootKey: keyPair.privateKey,
  };
}

async function makeIntermediate(
  sealer: Sealer,
  { trustDomain, nowMs }: Moment,
  rootIssuer: Issuer,
): Promise<StoredAuthority> {
  const { publicKey, privateKey } = await generateKeyPair();
  const order = { trustDomain, issuedAtMs: nowMs, lifeMs: intermediateLifeMs, serial: generateSerial() };
  const certificateDer = await issueIntermediate({ ...order, spkiDer: exportSpki(publicKey) }, rootIssuer);
  return { kind: 'intermediate', certificateDer, sealedKey: sealKey(sealer, privateKey, certificateDer) };
}

function record(writer: Writer, nowMs: number, authority: StoredAuthority): void {
  const { kind, serialHex, notAfterMs } = describe(authority);
  writer.addAuthority(authority);
  writer.audit(nowMs, { kind: 'authority-created', authority: kind, serial: serialHex, notAfterMs });
}

function describe({ kind, certificateDer }: StoredAuthority): CaCertificate {
  const read = readCertificate(certificateDer);
  if (!read.ok) throw new Fault('STORE_DAMAGED', `the store's ${kind} certificate cannot be read`);
  const { serialHex, notBeforeMs, notAfterMs } = read.value;
  return { kind, certificateDer, serialHex, notBeforeMs, notAfterMs };
}

const contextOf = (certificateDer: Buffer): string => `eastwest ca key of ${certificateDer.toString('base64')}`;

function sealKey(sealer: Sealer, key: KeyObject, certificateDer: Buffer): Buffer {
  return sealer.seal(key.export({ type: 'pkcs8', format: 'der' }), contextOf(certificateDer));
}

function openKey(sealer: Sealer, { kind, certificateDer, sealedKey }: StoredAuthority): KeyObject {
  const opened = sealer.open(sealedKey, contextOf(certificateDer));
  if (opened.ok) return createPrivateKey({ key: opened.value, type: 'pkcs8', format: 'der' });
  throw new Fault(
    'CA_KEY_LOCKED',
    `the CA's ${kind} key does not open: a wrong key file or passphrase, or a damaged store`,
    {
      hint: 'start with the --key-file or --passphrase-file this data directory was first started with',
    },
  );
}
