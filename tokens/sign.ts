import type { KeyObject } from 'node:crypto';
import { CompactSign, type CompactJWSHeaderParameters } from 'jose';

/** Signs bytes as a compact JWS with ES256 (RFC 7515, section 3.1), off the event loop. `key` is P-256. */
export function signCompactJws(
  header: Omit<CompactJWSHeaderParameters, 'alg' | 'crit' | 'b64'>,
  payload: Buffer,
  key: KeyObject,
): Promise<string> {
  return new CompactSign(payload).setProtectedHeader({ alg: 'ES256', ...header }).sign(key);
}
