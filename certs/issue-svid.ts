import { createPublicKey, sign, type KeyObject } from 'node:crypto';
import { readCertificate, type Certificate } from './certificate.ts';
import { exportSpki } from './keys.ts';
import { keyUsageBits, nameTags, oids } from './oids.ts';
import type { SpiffeId } from './spiffe-id.ts';
import * as x509 from './x509.ts';

/** Who signs. The seam for keys that live elsewhere (PKCS#11). */
export interface Issuer {
  readonly certificateDer: Buffer;
  /** ECDSA with SHA-256 over `tbs`, DER. */
  sign(tbs: Uint8Array): Promise<Buffer>;
}

/** What to certify. All of it comes from attestation and our own settings, nothing but the key from the CSR. */
export interface SvidOrder {
  readonly spiffeId: SpiffeId;
  readonly spkiDer: Buffer;
  readonly issuedAtMs: number;
  /** Counted from issue; at least 2000. */
  readonly lifeMs: number;
  /** 16 random bytes, the first not 0 (`generateSerial`). */
  readonly serial: Buffer;
}

/** How far `notBefore` lies before the issue, for peers whose clocks are behind. */
export const notBeforeSlackMs = 60_000;

/** An issuer whose key is in this process. Throws when key and certificate do not belong together. */
export function createIssuer(certificateDer: Buffer, privateKey: KeyObject): Issuer {
  const spki = exportSpki(createPublicKey(privateKey));
  if (!readIssuer(certificateDer).spkiDer.equals(spki)) throw new TypeError("this key is not the certificate's");
  // A P-256 signature takes 25 µs: less than sending it to the thread pool and back.
  return { certificateDer, sign: (tbs) => Promise.resolve(sign('sha256', tbs, privateKey)) };
}

const leafExtensions = [
  x509.basicConstraints('leaf'),
  x509.keyUsage(keyUsageBits.digitalSignature),
  x509.extendedKeyUsage([oids.serverAuth, oids.clientAuth]),
];

/** Builds and signs a leaf, DER. */
export async function issueSvid(order: SvidOrder, issuer: Issuer): Promise<Buffer> {
  const authority = readIssuer(issuer.certificateDer);
  checkOrder(order, authority);
  const tbs = x509.buildTbs({
    serial: order.serial,
    issuerDer: authority.subjectDer,
    subjectDer: x509.emptyName,
    notBeforeMs: order.issuedAtMs - notBeforeSlackMs,
    notAfterMs: leafNotAfterMs(order, authority.notAfterMs),
    spkiDer: order.spkiDer,
    extensions: [
      ...leafExtensions,
      x509.subjectAltName([x509.generalName(nameTags.uri, order.spiffeId)], 'critical'), // the subject is empty
      x509.subjectKeyId(order.spkiDer),
      x509.authorityKeyId(keyIdOf(authority)),
    ],
  });
  return x509.attachSignature(tbs, await issuer.sign(tbs));
}

/**
 * The end of a leaf: the order's, up to the next whole second, never after its issuer's. Up, because a life of 10 s cut to
 * the second below could be 9: renewal and what an outage may last are shares of the life that was ordered.
 */
export function leafNotAfterMs(order: Pick<SvidOrder, 'issuedAtMs' | 'lifeMs'>, issuerNotAfterMs: number): number {
  return Math.min(Math.ceil((order.issuedAtMs + order.lifeMs) / 1000) * 1000, issuerNotAfterMs);
}

/** Throws on a serial, a life or an issuer near its end that no caller of ours may come with. */
export function checkOrder(order: Pick<SvidOrder, 'serial' | 'issuedAtMs' | 'lifeMs'>, authority?: Certificate): void {
  if (order.serial.length !== 16 || order.serial[0] === 0)
    throw new RangeError('a serial has 16 bytes, the first not 0');
  const leftMs = (authority?.notAfterMs ?? Infinity) - order.issuedAtMs;
  const lifeMs = Math.min(order.lifeMs, leftMs); // whole seconds: below two, a certificate could end as it is made
  if (!(lifeMs >= 2000)) throw new RangeError(`a certificate lives 2000 ms or more; this one would ${lifeMs} ms`);
}

const issuers = new WeakMap<Uint8Array, Certificate>();

/** An issuer's certificate, read once per buffer. Throws when it cannot be read: it is our own. */
export function readIssuer(certificateDer: Buffer): Certificate {
  const known = issuers.get(certificateDer);
  if (known) return known;
  const certificate = readCertificate(certificateDer);
  if (!certificate.ok) throw new TypeError("the issuer's certificate is malformed");
  issuers.set(certificateDer, certificate.value);
  return certificate.value;
}

/** What a certificate below `authority` names as its authority key. */
export function keyIdOf(authority: Certificate): Buffer {
  return authority.extensions.subjectKeyId ?? x509.keyId(authority.spkiDer);
}
