import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** What a secret of ours is for; the first letters of its text, so that scanners find one that leaked. */
export type SecretUse = 'ew1' | 'ewc1' | 'ewo1';

export interface NewSecret {
  /** To be shown once: `ew1.<id>.<secret>`. */
  readonly text: string;
  /** 64 random bits in 16 hexadecimal digits: finds the record, and may be logged. */
  readonly id: string;
  /** SHA-256 of the secret part. That has 256 random bits: nothing slower or salted is needed. */
  readonly hash: Buffer;
}

/** A join token (`ew1`), client secret (`ewc1`) or operator's credential (`ewo1`). */
export function makeSecret(use: SecretUse): NewSecret {
  const id = randomBytes(8).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  return { text: `${use}.${id}.${secret}`, id, hash: hash('sha256', secret, 'buffer') };
}

export interface PresentedSecret {
  readonly id: string;
  readonly secret: string;
}

const form = /^(ew[co]?1)\.([0-9a-f]{16})\.([\w-]{43})$/;

/** Undefined: it has not the form of one. */
export function readSecret(use: SecretUse, text: string): PresentedSecret | undefined {
  const [, prefix, id, secret] = form.exec(text) ?? [];
  return prefix === use && id !== undefined && secret !== undefined ? { id, secret } : undefined;
}

const nobodys = Buffer.alloc(32);

/** In a time that does not depend on where they differ, or on whether there is anything to compare with. */
export function isSecret({ secret }: PresentedSecret, known: Buffer | undefined): boolean {
  const isSame = timingSafeEqual(hash('sha256', secret, 'buffer'), known ?? nobodys);
  return isSame && known !== undefined;
}
