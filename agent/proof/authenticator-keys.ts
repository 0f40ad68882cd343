import { ok, refuse, type Result } from '#runtime/result.ts';

/** The two ends of a TLS connection, whoever of them asks or answers. */
export type TlsRole = 'client' | 'server';

/** The TLS connection as far as its exporter goes (RFC 8446, section 7.5). A `TLSSocket` is one. */
export interface TlsExporter {
  getProtocol(): string | null;
  getCipher(): { readonly standardName: string };
  exportKeyingMaterial(length: number, label: string, context: Buffer): Buffer;
}

/** What ties authenticators to one connection: nobody on another connection has the same (RFC 9261, section 5.1). */
export interface AuthenticatorKeys {
  /** The negotiated suite's, named as in `node:crypto`. */
  readonly hash: 'sha256' | 'sha384';
  readonly client: SenderKeys;
  readonly server: SenderKeys;
}

/** For authenticators that one of the two ends sends. */
export interface SenderKeys {
  readonly handshakeContext: Buffer;
  readonly finishedKey: Buffer;
}

/**
 * Asks the connection's exporter for all four values, with an empty context (in TLS 1.3 the same as none), each as long
 * as a hash. A connection that is over has no protocol any more: `not-tls-1.3`.
 */
export function deriveAuthenticatorKeys(
  tls: TlsExporter,
): Result<AuthenticatorKeys, 'not-tls-1.3' | 'unknown-cipher-suite'> {
  if (tls.getProtocol() !== 'TLSv1.3') return refuse('not-tls-1.3');
  const hash = suiteHashes.get(tls.getCipher().standardName);
  if (hash === undefined) return refuse('unknown-cipher-suite');
  const value = (label: string): Buffer => tls.exportKeyingMaterial(hashBytes(hash), label, Buffer.alloc(0));
  const sender = (role: TlsRole): SenderKeys => ({
    handshakeContext: value(`EXPORTER-${role} authenticator handshake context`),
    finishedKey: value(`EXPORTER-${role} authenticator finished key`),
  });
  return ok({ hash, client: sender('client'), server: sender('server') });
}

export function hashBytes(hash: AuthenticatorKeys['hash']): number {
  return hash === 'sha256' ? 32 : 48;
}

/** RFC 8446, section B.4. */
const suiteHashes: ReadonlyMap<string, AuthenticatorKeys['hash']> = new Map([
  ['TLS_AES_128_GCM_SHA256', 'sha256'],
  ['TLS_AES_256_GCM_SHA384', 'sha384'],
  ['TLS_CHACHA20_POLY1305_SHA256', 'sha256'],
]);
