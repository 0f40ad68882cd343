import { createCipheriv, createDecipheriv, hkdf, randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { ok, refuse, type Result } from '#runtime/result.ts';

/** What unlocks the CA's keys: 32 bytes or more from a key file, or a person's passphrase. */
export type UnlockSecret =
  | { readonly source: 'key-file'; readonly bytes: Buffer }
  | { readonly source: 'passphrase'; readonly bytes: Buffer };

/** Encrypts keys at rest. `context` says what is inside, so that one sealed key cannot stand in for another. */
export interface Sealer {
  seal(plain: Buffer, context: string): Buffer;
  open(sealed: Buffer, context: string): Result<Buffer, 'wrong-key-or-damaged'>;
}

const hkdfAsync = promisify(hkdf);
const scryptAsync = promisify<Buffer, Buffer, number, object, Buffer>(scrypt);
/** 32 MiB and about 0.2 s, once at start (OWASP's recommendation for scrypt). */
const scryptCost = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 1024 * 1024 };

/** A key file is already random: HKDF-SHA-256 (RFC 5869). A passphrase is not: scrypt (RFC 7914). */
export async function createSealer({ source, bytes }: UnlockSecret, salt: Buffer): Promise<Sealer> {
  const key =
    source === 'passphrase'
      ? await scryptAsync(bytes, salt, 32, scryptCost)
      : Buffer.from(await hkdfAsync('sha256', bytes, salt, 'eastwest ca key encryption 1', 32));
  return sealerWith(key);
}

const version = 1;
const nonceLength = 12;
const tagLength = 16;
const keyLength = 32;

/** An envelope: a fresh data key encrypts the content, the key encryption key encrypts the data key (both AES-256-GCM). */
function sealerWith(keyEncryptionKey: Buffer): Sealer {
  return {
    seal(plain, context) {
      const dataKey = randomBytes(keyLength);
      const wrapped = encrypt(keyEncryptionKey, dataKey, context);
      return Buffer.concat([Buffer.of(version), wrapped, encrypt(dataKey, plain, context)]);
    },
    open(sealed, context) {
      const wrappedEnd = 1 + nonceLength + keyLength + tagLength;
      if (sealed[0] !== version || sealed.length < wrappedEnd + nonceLength + tagLength)
        return refuse('wrong-key-or-damaged');
      try {
        const dataKey = decrypt(keyEncryptionKey, sealed.subarray(1, wrappedEnd), context);
        return ok(decrypt(dataKey, sealed.subarray(wrappedEnd), context));
      } catch {
        return refuse('wrong-key-or-damaged'); // the tag does not match: GCM cannot say which of the two it is
      }
    },
  };
}

/** nonce, ciphertext, tag */
function encrypt(key: Buffer, plain: Buffer, context: string): Buffer {
  const nonce = randomBytes(nonceLength);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength }).setAAD(Buffer.from(context));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, sealed: Buffer, context: string): Buffer {
  const nonce = sealed.subarray(0, nonceLength);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength })
    .setAAD(Buffer.from(context))
    .setAuthTag(sealed.subarray(-tagLength));
  return Buffer.concat([decipher.update(sealed.subarray(nonceLength, -tagLength)), decipher.final()]);
}
