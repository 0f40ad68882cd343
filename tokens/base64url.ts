import { hash } from 'node:crypto';

/**
 * Base64url without padding (RFC 7515, section 2), or `undefined`. Canonical only: no blanks, no `+` and `/`, no `=`, no bits
 * left over at the end. What encodes back to the same text was all that.
 */
export function decodeBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

/** SHA-256 of ASCII text, base64url: `ath`, `wth`, `tth` (RFC 9449, section 4.2) and JWK thumbprints (RFC 7638). */
export function sha256Base64url(text: string): string {
  return hash('sha256', text, 'base64url');
}
