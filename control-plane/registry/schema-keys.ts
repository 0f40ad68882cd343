import { createHash, createPublicKey, type webcrypto } from 'node:crypto';
import { z } from 'zod';
import { assertionAlgorithms, type AssertionAlgorithm, type AssertionKey } from './model.ts';

const maxKeys = 10;
const smallestModulusBits = 2048;
const largestModulusBits = 4096;
/** A signature by a key with the exponent 1 is the message itself. */
const usualExponent = 65_537n;
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

const curves: Readonly<Partial<Record<AssertionAlgorithm, string>>> = {
  ES256: 'P-256',
  ES384: 'P-384',
  ES512: 'P-521',
};
const base64url = z.string('write base64url').regex(/^[A-Za-z0-9_-]+$/, 'is not base64url');

const members = {
  kid: z.string('write a key ID').regex(/^[\x21-\x7e]{1,128}$/, 'is no key ID: at most 128 visible ASCII characters'),
  alg: z.enum(assertionAlgorithms, `write ${assertionAlgorithms.join(', ')}`),
  use: z.literal('sig', 'write sig, or leave it out').exactOptional(),
};
const ecKey = z.strictObject({
  kty: z.literal('EC'),
  crv: z.enum(['P-256', 'P-384', 'P-521'], 'write P-256, P-384 or P-521'),
  x: base64url,
  y: base64url,
  ...members,
});
const rsaKey = z.strictObject({ kty: z.literal('RSA'), n: base64url, e: base64url, ...members });
const shape = z.discriminatedUnion('kty', [ecKey, rsaKey], 'write an EC or RSA key: { kty: EC, crv: P-256, … }');

/** A public key as JWK (RFC 7517). Keys are uploaded, never fetched: `jku`, `x5u` and the like are unknown fields. */
const publicKey = z
  .unknown()
  .refine((jwk) => !isPrivate(jwk), {
    message: 'holds a private or shared key, which everybody knows now: make a new pair, and write its public key only',
    abort: true,
  })
  .pipe(shape)
  .transform((jwk, context): AssertionKey => {
    const { kid, alg, ...rest } = jwk;
    const read = readKey(jwk, alg);
    if (typeof read !== 'string') return { kid, algorithm: alg, ...read };
    context.issues.push({ code: 'custom', input: rest, message: read });
    return z.NEVER;
  });

/** JWKS: 1 to 10 keys, each with a key ID of its own. */
export const assertionKeys = z
  .strictObject(
    {
      keys: z
        .array(publicKey, 'write a list of keys')
        .min(1, 'is empty: write a key')
        .max(maxKeys, `has too many keys: ${maxKeys} are enough`),
    },
    'write jwks: { keys: […] } with public keys',
  )
  .transform(({ keys }, context): readonly AssertionKey[] => {
    const twice = keys.findIndex(({ kid }, index) => keys.findIndex((key) => key.kid === kid) !== index);
    if (twice >= 0) {
      context.issues.push({
        code: 'custom',
        input: keys,
        path: ['keys', twice, 'kid'],
        message: 'is the key ID of another key too: rename one',
      });
    }
    return keys;
  });

function isPrivate(jwk: unknown): boolean {
  return typeof jwk === 'object' && jwk !== null && privateMembers.some((name) => Object.hasOwn(jwk, name));
}

/** The key, or what is wrong with it. */
function readKey(
  jwk: z.output<typeof shape>,
  algorithm: AssertionAlgorithm,
): Pick<AssertionKey, 'publicKey' | 'thumbprint'> | string {
  const curve = jwk.kty === 'EC' ? jwk.crv : undefined;
  if (curve !== curves[algorithm]) return `is no key for ${algorithm}: write the algorithm that it was made for`;
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const { modulusLength: bits, publicExponent } = key.asymmetricKeyDetails ?? {};
    if (publicExponent !== undefined && publicExponent !== usualExponent) {
      return 'has another exponent than 65537, with which signatures may be forged or slow: make a new pair';
    }
    if (bits !== undefined && (bits < smallestModulusBits || bits > largestModulusBits)) {
      return `has ${bits} bits: RSA keys of ${smallestModulusBits} to ${largestModulusBits} are taken`;
    }
    return { publicKey: key, thumbprint: thumbprintOf(key.export({ format: 'jwk' })) };
  } catch {
    return 'is no key that can be used: write it as it was exported';
  }
}

/** RFC 7638, section 3: the required members in the order of their names. */
function thumbprintOf({ crv, e, kty, n, x, y }: webcrypto.JsonWebKey): string {
  const required = kty === 'EC' ? { crv, kty, x, y } : { e, kty, n };
  return createHash('sha256').update(JSON.stringify(required)).digest('base64url');
}
