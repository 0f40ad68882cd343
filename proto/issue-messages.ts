import type { TrustBundle } from '#certs/trust-bundle.ts';
import { ok, refuse } from '#runtime/result.ts';
import { toTrustBundle, type Parsed } from './messages.ts';
import * as tables from './tables.ts';
import { decode, encode } from './wire.ts';

const maxTokenLength = 200;
const maxChainCertificates = 8;

/** How a workload proves who it is: once with a join token, from then on with the SVID of its TLS connection. */
export type Attestation = { readonly kind: 'join-token'; readonly token: string } | { readonly kind: 'current-svid' };

export interface IssueCertificateRequest {
  /** PKCS#10, DER; its size and content are judged by `readCsr`. */
  readonly csr: Buffer;
  readonly attestation: Attestation;
}

export interface IssueCertificateResponse {
  /** DER, leaf first, without the root; 1 to 8. */
  readonly chain: readonly Buffer[];
  readonly trustBundle: TrustBundle;
  /** The CA's clock when it signed, milliseconds since 1970. */
  readonly signedAtMs: number;
}

export function encodeIssueCertificateRequest({ csr, attestation }: IssueCertificateRequest): Buffer {
  const proof = attestation.kind === 'join-token' ? { joinToken: attestation.token } : { currentSvid: {} };
  return encode(tables.issueCertificateRequest, { csr, ...proof });
}

export function parseIssueCertificateRequest(bytes: Uint8Array): Parsed<IssueCertificateRequest> {
  const decoded = decode(tables.issueCertificateRequest, bytes);
  if (!decoded.ok) return decoded;
  const { csr, joinToken, currentSvid } = decoded.value;
  if (currentSvid !== undefined) return ok({ csr, attestation: { kind: 'current-svid' } });
  if (joinToken === undefined || joinToken === '' || joinToken.length > maxTokenLength)
    return refuse('bad-attestation');
  return ok({ csr, attestation: { kind: 'join-token', token: joinToken } });
}

export function encodeIssueCertificateResponse(response: IssueCertificateResponse): Buffer {
  return encode(tables.issueCertificateResponse, response);
}

export function parseIssueCertificateResponse(bytes: Uint8Array): Parsed<IssueCertificateResponse> {
  const decoded = decode(tables.issueCertificateResponse, bytes);
  if (!decoded.ok) return decoded;
  const { chain, signedAtMs } = decoded.value;
  if (chain.length === 0 || chain.length > maxChainCertificates) return refuse('bad-chain');
  if (signedAtMs <= 0) return refuse('bad-time');
  const trustBundle = toTrustBundle(decoded.value.trustBundle);
  return trustBundle.ok ? ok({ chain, trustBundle: trustBundle.value, signedAtMs }) : trustBundle;
}
