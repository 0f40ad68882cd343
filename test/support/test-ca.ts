import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { exportSpki, generateSerial, type KeyPair } from '#certs/keys.ts';
import { keyUsageBits, nameTags, oids } from '#certs/oids.ts';
import { certificatesToPem } from '#certs/pem.ts';
import { createTrustBundle, type TrustBundle } from '#certs/trust-bundle.ts';
import * as x509 from '#certs/x509.ts';

/** Any certificate at all, good or bad. What is left out is as a good one has it. */
export interface CertificateRecipe {
  readonly subject?: string;
  /** Names in the SAN extension; an empty list leaves the extension out. Text is written byte by byte (latin1). */
  readonly names?: readonly { readonly kind: keyof typeof nameTags; readonly text: string }[];
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  readonly basicConstraints?: 'leaf' | 'absent' | { readonly pathLength: number | undefined };
  /** A sum of `keyUsageBits`; 0 leaves the extension out. */
  readonly keyUsage?: number;
  readonly keyUsageCriticality?: x509.Criticality;
  readonly purposes?: readonly string[];
  readonly permittedUriHost?: string;
  readonly extensions?: readonly x509.Asn1[];
  readonly keys?: KeyPair;
  /** `absent` leaves the authority's key identifier out, so that only the name points to it. */
  readonly authorityKeyId?: 'present' | 'absent';
  /** Changes the signature after it was made. */
  readonly signature?: 'good' | 'broken';
}

/** A certificate, its key, and the authorities between it and the root. */
export interface TestCertificate {
  readonly der: Buffer;
  readonly keys: KeyPair;
  /** Leaf first, without the root. */
  readonly chainDer: readonly Buffer[];
  readonly chainPem: string;
  readonly keyPem: string;
}

export interface TestAuthority extends TestCertificate {
  readonly trustDomain: string;
  /** The root at the top, as a bundle of this authority's trust domain, DER and PEM. */
  readonly bundle: TrustBundle;
  readonly bundlePem: string;
  /** A leaf for `spiffe://<trust-domain>/ns/default/sa/<name>`, changed as the recipe says. */
  leaf(name: string, recipe?: CertificateRecipe): TestCertificate;
  /** An authority below this one. */
  intermediate(recipe?: CertificateRecipe): TestAuthority;
}

export interface TestCaOptions {
  readonly trustDomain?: string;
  /** All times are counted from here. */
  readonly nowMs: number;
  readonly root?: CertificateRecipe;
}

const hourMs = 3_600_000;

/** A root of its own. Fast enough to make one for each test: P-256 keys. */
export function createTestCa(options: TestCaOptions): TestAuthority {
  const trustDomain = options.trustDomain ?? 'shop.example';
  const times = { notBeforeMs: options.nowMs - hourMs, notAfterMs: options.nowMs + 24 * hourMs };
  const recipe = { ...authorityRecipe(trustDomain, 'root', 4), ...times, ...options.root };
  const keys = recipe.keys ?? makeKeys();
  const subjectDer = x509.commonName(recipe.subject ?? 'Test root');
  const root = { der: build(recipe, keys, { subjectDer, keys }), keys, subjectDer };
  const made = createTrustBundle({ trustDomain, version: 1, roots: [root.der] });
  const top: Top = { trustDomain, nowMs: options.nowMs, rootDer: root.der, bundle: made.ok ? made.value : undefined };
  return authority(top, root, []);
}

/** Changes to a good leaf, one for each way to be refused by `verifySvid` on the leaf's own account. */
export const badLeaves = {
  'no URI SAN': { names: [{ kind: 'dns', text: 'prices.shop.example' }] },
  'common name only': { names: [], subject: 'spiffe://shop.example/ns/default/sa/prices' },
  'two URI SANs': {
    names: [
      { kind: 'uri', text: 'spiffe://shop.example/ns/default/sa/prices' },
      { kind: 'uri', text: 'spiffe://shop.example/ns/default/sa/orders' },
    ],
  },
  'CA:TRUE': { basicConstraints: { pathLength: undefined } },
  keyCertSign: { keyUsage: keyUsageBits.digitalSignature | keyUsageBits.keyCertSign },
  cRLSign: { keyUsage: keyUsageBits.digitalSignature | keyUsageBits.crlSign },
  'no key usage': { keyUsage: 0 },
  'no extended key usage': { purposes: [] },
  'server purpose only': { purposes: [oids.serverAuth] },
  'client purpose only': { purposes: [oids.clientAuth] },
  'broken signature': { signature: 'broken' },
} as const satisfies Record<string, CertificateRecipe>;

/** A key that no certificate of ours may hold. */
export function makeWeakKeys(kind: 'rsa-1024' | 'p-192' | 'secp256k1'): KeyPair {
  if (kind === 'rsa-1024') return generateKeyPairSync('rsa', { modulusLength: 1024 });
  return generateKeyPairSync('ec', { namedCurve: kind === 'p-192' ? 'prime192v1' : 'secp256k1' });
}

export function makeKeys(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

export function keyToPem(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' }).toString();
}

interface Top {
  readonly trustDomain: string;
  readonly nowMs: number;
  readonly rootDer: Buffer;
  readonly bundle: TrustBundle | undefined;
}

interface Signer {
  readonly subjectDer: Buffer;
  readonly keys: KeyPair;
}

function authority(top: Top, own: Signer & { readonly der: Buffer }, chainDer: readonly Buffer[]): TestAuthority {
  const times = { notBeforeMs: top.nowMs - 60_000, notAfterMs: top.nowMs + hourMs };
  return {
    ...certificate(own.der, own.keys, chainDer),
    trustDomain: top.trustDomain,
    get bundle() {
      if (!top.bundle) throw new Error('this root was made to be refused: it has no bundle');
      return top.bundle;
    },
    bundlePem: certificatesToPem([top.rootDer]),
    leaf(name, changes = {}) {
      const recipe = { ...leafRecipe(top.trustDomain, name), ...times, ...changes };
      const keys = recipe.keys ?? makeKeys();
      const der = build(recipe, keys, own);
      return certificate(der, keys, [der, ...chainDer]);
    },
    intermediate(changes = {}) {
      const recipe = { ...authorityRecipe(top.trustDomain, 'intermediate', 0), ...times, ...changes };
      const keys = recipe.keys ?? makeKeys();
      const der = build(recipe, keys, own);
      const subjectDer = x509.commonName(recipe.subject ?? 'Test intermediate');
      return authority(top, { der, keys, subjectDer }, [der, ...chainDer]);
    },
  };
}

function certificate(der: Buffer, keys: KeyPair, chainDer: readonly Buffer[]): TestCertificate {
  return { der, keys, chainDer, chainPem: certificatesToPem(chainDer), keyPem: keyToPem(keys.privateKey) };
}

function leafRecipe(trustDomain: string, name: string): CertificateRecipe {
  return {
    names: [{ kind: 'uri', text: `spiffe://${trustDomain}/ns/default/sa/${name}` }],
    basicConstraints: 'leaf',
    keyUsage: keyUsageBits.digitalSignature,
    purposes: [oids.serverAuth, oids.clientAuth],
  };
}

function authorityRecipe(trustDomain: string, kind: string, pathLength: number): CertificateRecipe {
  return {
    subject: `Test ${kind}`,
    names: [{ kind: 'uri', text: `spiffe://${trustDomain}` }],
    basicConstraints: { pathLength },
    keyUsage: keyUsageBits.keyCertSign | keyUsageBits.crlSign,
  };
}

function build(recipe: CertificateRecipe, keys: KeyPair, signer: Signer): Buffer {
  const { notBeforeMs = 0, notAfterMs = 0, signature = 'good' } = recipe;
  const spkiDer = exportSpki(keys.publicKey);
  const tbs = x509.buildTbs({
    serial: generateSerial(),
    issuerDer: signer.subjectDer,
    subjectDer: recipe.subject === undefined ? x509.emptyName : x509.commonName(recipe.subject),
    notBeforeMs,
    notAfterMs,
    spkiDer,
    extensions: extensionsOf(recipe, spkiDer, exportSpki(signer.keys.publicKey)),
  });
  const bytes = sign('sha256', tbs, signer.keys.privateKey);
  if (signature === 'broken') bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  return x509.attachSignature(tbs, bytes);
}

function extensionsOf(recipe: CertificateRecipe, spkiDer: Buffer, issuerSpkiDer: Buffer): x509.Asn1[] {
  const { names = [], basicConstraints = 'absent', keyUsage = 0, purposes = [], permittedUriHost } = recipe;
  const list = [...(recipe.extensions ?? []), x509.subjectKeyId(spkiDer)];
  if (recipe.authorityKeyId !== 'absent') list.push(x509.authorityKeyId(x509.keyId(issuerSpkiDer)));
  if (basicConstraints !== 'absent') list.push(x509.basicConstraints(basicConstraints));
  if (keyUsage !== 0) list.push(x509.keyUsage(keyUsage, recipe.keyUsageCriticality));
  if (purposes.length > 0) list.push(x509.extendedKeyUsage(purposes));
  if (permittedUriHost !== undefined) list.push(x509.permittedUriHost(permittedUriHost));
  const san = names.map(({ kind, text }) => x509.generalName(nameTags[kind], text));
  if (san.length > 0) list.push(x509.subjectAltName(san, recipe.subject === undefined ? 'critical' : 'not-critical'));
  return list;
}
