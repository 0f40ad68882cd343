import type { Certificate } from './certificate.ts';
import { keyUsageBits, oids } from './oids.ts';

export type IssuerProblem = 'issuer-not-ca' | 'bad-issuer-purpose' | 'weak-key' | 'unknown-critical-extension';

/** What every authority must be, wherever it stands in a chain (RFC 5280, section 6.1.4; X509-SVID, section 4). */
export function issuerProblem(certificate: Certificate): IssuerProblem | undefined {
  const { basicConstraints, keyUsage, extendedKeyUsage, unknownCritical } = certificate.extensions;
  if (unknownCritical.length > 0) return 'unknown-critical-extension';
  if (basicConstraints?.ca !== true) return 'issuer-not-ca';
  if (keyUsage && (keyUsage.bits & keyUsageBits.keyCertSign) === 0) return 'issuer-not-ca';
  if (extendedKeyUsage && !servesBothSides(extendedKeyUsage)) return 'bad-issuer-purpose';
  return certificate.keyKind === 'weak' ? 'weak-key' : undefined;
}

function servesBothSides(purposes: readonly string[]): boolean {
  if (purposes.includes(oids.anyExtendedKeyUsage)) return true;
  return purposes.includes(oids.serverAuth) && purposes.includes(oids.clientAuth);
}
