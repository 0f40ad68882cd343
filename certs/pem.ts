import { ok, refuse, type Result } from '#runtime/result.ts';

export type PemProblem = 'too-large' | 'malformed' | 'no-certificates' | 'not-a-certificate';

const maxPemBytes = 1_048_576;
const block = /-----BEGIN ([^\r\n-]*)-----\r?\n([A-Za-z0-9+/=\r\n]*?)\r?\n-----END \1-----/g;

/** All `CERTIFICATE` blocks as DER, in order (RFC 7468). Text between blocks is skipped, blocks with another label are refused. */
export function parseCertificatesPem(pem: string): Result<Buffer[], PemProblem> {
  if (pem.length > maxPemBytes) return refuse('too-large');
  const found = [...pem.matchAll(block)];
  if (found.length !== pem.split('-----BEGIN ').length - 1) return refuse('malformed');
  if (found.some(([, label]) => label !== 'CERTIFICATE')) return refuse('not-a-certificate');
  if (found.length === 0) return refuse('no-certificates');
  return ok(found.map(([, , base64 = '']) => Buffer.from(base64, 'base64')));
}

/** DER certificates as PEM text, one block after the other. */
export function certificatesToPem(certificates: readonly Buffer[]): string {
  return certificates.map(certificateToPem).join('');
}

function certificateToPem(der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
