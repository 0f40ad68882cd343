import type { Identity } from '#agent/identity/store.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import type { TestAuthority, TestCertificate } from '#support/test-ca.ts';

/** A test certificate as an identity of the authority's trust domain; it must be a good one. */
export function identityOf(
  certificate: TestCertificate,
  { ca, nowMs }: { readonly ca: TestAuthority; readonly nowMs: number },
): Identity {
  const svid = verifySvid(certificate.chainDer, { bundle: ca.bundle, nowMs });
  if (!svid.ok) throw new Error(`not a good certificate: ${svid.reason}`);
  return { svid: svid.value, privateKey: certificate.keys.privateKey, bundle: ca.bundle, issuedAtMs: nowMs };
}
