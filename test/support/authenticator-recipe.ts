import { createHash, createHmac, randomBytes, sign, type KeyObject } from 'node:crypto';
import type { AuthenticatorKeys, TlsRole } from '#agent/proof/authenticator-keys.ts';

/** Any authenticator at all, good or bad, by steps of its own. What is left out is as a good one has it. */
export interface AuthenticatorRecipe {
  readonly keys: AuthenticatorKeys;
  readonly sender: TlsRole;
  /** The request it answers, with its header. */
  readonly request: Buffer;
  readonly chainDer: readonly Buffer[];
  readonly privateKey: KeyObject;
  /** The context it repeats. */
  readonly context?: Buffer;
  /** After each certificate, without the length. */
  readonly entryExtensions?: Buffer;
  /** The signature's scheme as it is named, whatever the key. */
  readonly schemeCode?: number;
  readonly digest?: 'sha256' | 'sha384';
  readonly signedText?: string;
  /** After the last field of the message. */
  readonly surplus?: 'in-certificate' | 'in-certificate-verify';
  readonly mac?: 'good' | 'broken' | 'short';
}

/** Certificate, CertificateVerify and Finished, each with its header (RFC 9261, section 5.2). */
export function buildAuthenticator(recipe: AuthenticatorRecipe): [Buffer, Buffer, Buffer] {
  const { keys, sender, request } = recipe;
  const { handshakeContext, finishedKey } = keys[sender];
  const context = recipe.context ?? request.subarray(5, 5 + request.readUInt8(4));
  const extensions = recipe.entryExtensions ?? Buffer.alloc(0);
  const list = recipe.chainDer.map((der) => Buffer.concat([sized(3, der), sized(2, extensions)]));
  const certificate = message(
    11,
    Buffer.concat([sized(1, context), sized(3, Buffer.concat(list)), surplus(recipe, 'in-certificate')]),
  );
  const hash = (...parts: Buffer[]): Buffer => createHash(keys.hash).update(Buffer.concat(parts)).digest();
  const signed = Buffer.concat([
    Buffer.from(' '.repeat(64) + (recipe.signedText ?? 'Exported Authenticator'), 'latin1'),
    Buffer.from([0]),
    hash(handshakeContext, request, certificate),
  ]);
  const signature = sign(recipe.digest ?? 'sha256', signed, recipe.privateKey);
  const scheme = Buffer.alloc(2);
  scheme.writeUInt16BE(recipe.schemeCode ?? 0x0403);
  const verify = message(15, Buffer.concat([scheme, sized(2, signature), surplus(recipe, 'in-certificate-verify')]));
  const mac = createHmac(keys.hash, finishedKey)
    .update(hash(handshakeContext, request, certificate, verify))
    .digest();
  if (recipe.mac === 'broken') mac[3]! ^= 1;
  return [certificate, verify, message(20, recipe.mac === 'short' ? mac.subarray(1) : mac)];
}

/** One TLS handshake message with its header. */
export function message(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type]), sized(3, body)]);
}

/** Bytes with their length in front. */
export function sized(lengthSize: 1 | 2 | 3, bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(lengthSize);
  length.writeUIntBE(bytes.length, 0, lengthSize);
  return Buffer.concat([length, bytes]);
}

/** Keys as some connection might have them. */
export function someKeys(hash: AuthenticatorKeys['hash'] = 'sha256'): AuthenticatorKeys {
  const size = hash === 'sha256' ? 32 : 48;
  const sender = () => ({ handshakeContext: randomBytes(size), finishedKey: randomBytes(size) });
  return { hash, client: sender(), server: sender() };
}

function surplus(recipe: AuthenticatorRecipe, where: AuthenticatorRecipe['surplus']): Buffer {
  return recipe.surplus === where ? Buffer.from([0]) : Buffer.alloc(0);
}
