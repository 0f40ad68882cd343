import { generateKeyPair as generate, hash, randomBytes, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const generateOffLoop = promisify(generate);

/** A new ECDSA P-256 pair, made off the event loop. */
export function generateKeyPair(): Promise<KeyPair> {
  return generateOffLoop('ec', { namedCurve: 'P-256' });
}

/** The key as SubjectPublicKeyInfo, DER (RFC 5480). */
export function exportSpki(publicKey: KeyObject): Buffer {
  return publicKey.export({ format: 'der', type: 'spki' });
}

/** SHA-256 of a SubjectPublicKeyInfo, lower-case hex: the same key gives the same text in a CSR and in a certificate. */
export function keyThumbprint(spkiDer: Uint8Array): string {
  return hash('sha256', spkiDer);
}

/** 16 random bytes for a certificate's serial. The first is never 0, so that hex text and integer are the same thing. */
export function generateSerial(): Buffer {
  for (;;) {
    const serial = randomBytes(16);
    if (serial[0] !== 0) return serial;
  }
}
