import type { KeyObject, X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { connect, createSecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { X509Svid } from '#certs/svid.ts';
import { trustBundleToPem, type TrustBundle } from '#certs/trust-bundle.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import type { Clock } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

export interface TlsIdentity {
  readonly svid: X509Svid;
  readonly privateKey: KeyObject;
}

/** Whom to trust (only the bundle's roots, asked anew for each connection) and who must answer. */
export interface PinnedServer {
  readonly expectedServer: SpiffeId;
  bundle(): TrustBundle;
  readonly identity?: TlsIdentity;
  readonly clock: Clock;
}

/** TLS 1.3 only; AES-128-GCM first. */
export const tls13 = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
} as const satisfies SecureContextOptions;

/** Certificate chain and key as `node:tls` wants them. */
export function identityOptions({ svid, privateKey }: TlsIdentity): { cert: string; key: string } {
  return { cert: toPem(svid.chainDer), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

const toPem = (chain: readonly Buffer[]): string =>
  chain
    .map((der) => `-----BEGIN CERTIFICATE-----\n${wrap(der.toString('base64'))}-----END CERTIFICATE-----\n`)
    .join('');
const wrap = (base64: string): string => base64.replaceAll(/.{1,64}/g, '$&\n');

/**
 * TLS over `socket`, ending with a server that has proved `expectedServer` under the pinned bundle: never trust on first
 * use, and DNS names prove nothing. Rejects with CONTROL_PLANE_UNTRUSTED, or with the socket's error when it broke.
 */
export function connectPinned(socket: Socket, pinned: PinnedServer): Promise<TLSSocket> {
  const bundle = pinned.bundle();
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const tlsSocket = connect({
    socket,
    secureContext: createSecureContext({
      ...tls13,
      ca: trustBundleToPem(bundle),
      ...(pinned.identity === undefined ? {} : identityOptions(pinned.identity)),
    }),
    ALPNProtocols: ['h2'],
    servername: 'control-plane', // says nothing, proves nothing; an IP address is not allowed here (RFC 6066, section 3)
    rejectUnauthorized: true,
    checkServerIdentity: () => undefined, // DNS names; the SPIFFE ID is checked below
  });
  const onError = (error: Error): void => reject(isDistrust(error) ? untrusted(codeOf(error), error) : error);
  const onClose = (): void => reject(new Error('connection closed during the TLS handshake'));
  tlsSocket.once('error', onError).once('close', onClose);
  tlsSocket.once('secureConnect', () => {
    const verdict = checkServer(tlsSocket.getPeerX509Certificate(), bundle, pinned);
    if (!verdict.ok) {
      reject(untrusted(verdict.reason));
      tlsSocket.destroy();
      return;
    }
    tlsSocket.off('error', onError).off('close', onClose);
    resolve(tlsSocket);
  });
  return promise;
}

function checkServer(
  leaf: X509Certificate | undefined,
  bundle: TrustBundle,
  { expectedServer, clock }: PinnedServer,
): Result<X509Svid, string> {
  if (leaf === undefined) return refuse('no-certificate');
  const verified = verifySvid(presentedChain(leaf), { bundle, nowMs: clock.now() });
  if (!verified.ok) return verified;
  return verified.value.spiffeId === expectedServer ? ok(verified.value) : refuse('other-spiffe-id');
}

/** DER, leaf first, as far as TLS linked it, without a self-issued root. */
export function presentedChain(leaf: X509Certificate): readonly Buffer[] {
  const chain: Buffer[] = [];
  for (let at: X509Certificate | undefined = leaf; at !== undefined && chain.length < 8; at = at.issuerCertificate) {
    if (chain.length > 0 && at.subject === at.issuer) break;
    chain.push(at.raw);
  }
  return chain;
}

const codeOf = (error: Error): string => ('code' in error ? String(error.code) : error.message);

/** OpenSSL's verdicts on certificates (`SELF_SIGNED_CERT_IN_CHAIN`) and on the protocol (`ERR_SSL_…`), not a broken line. */
function isDistrust(error: Error): boolean {
  return /^ERR_(SSL|TLS)_|CERT|SIGNATURE|^PATH_LENGTH|^INVALID_(CA|PURPOSE)/.test(codeOf(error));
}

function untrusted(problem: string, cause?: Error): Fault {
  return new Fault('CONTROL_PLANE_UNTRUSTED', `whoever answered is not our control plane: ${problem}`, {
    cause,
    hint: `compare the agent's trust bundle with the control plane's trust-bundle.pem; nothing is trusted on first use`,
  });
}
