import { constants } from 'node:crypto';
import {
  createSecureContext,
  type ConnectionOptions,
  type SecureContext,
  type SecureContextOptions,
  type TlsOptions,
} from 'node:tls';
import { certificatesToPem } from '#certs/pem.ts';
import { trustBundleToPem } from '#certs/trust-bundle.ts';
import type { IdentitySnapshot } from '#agent/identity/store.ts';

/** A peer that has not finished its handshake by then is disconnected. */
export const handshakeDeadlineMs = 5_000;

/** AES-128-GCM first: on bulk transfers it moves a tenth more than AES-256-GCM. */
const cipherSuites = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';

const contexts = new WeakMap<IdentitySnapshot, SecureContext>();

/** The one context of a generation, for both roles; also for a bare `new TLSSocket(…, { isServer: true, … })`. */
export function secureContextOf(snapshot: IdentitySnapshot): SecureContext {
  const known = contexts.get(snapshot);
  if (known !== undefined) return known;
  const context = createSecureContext(contextOptions(snapshot));
  contexts.set(snapshot, context);
  return context;
}

/**
 * For `tls.createServer` and, with a later snapshot, for `server.setSecureContext`. ALPN is the listener's choice.
 * OpenSSL checks the chain against our roots; who the peer is says `verifyPeer`.
 */
export function serverTlsOptions(snapshot: IdentitySnapshot): TlsOptions {
  return {
    ...contextOptions(snapshot),
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: handshakeDeadlineMs,
  };
}

/**
 * For `tls.connect`, without a `session`: every connection is a full handshake. The server's name is its SPIFFE ID, which
 * the caller compares after `verifyPeer`; a host name means nothing here.
 */
export function clientTlsOptions(snapshot: IdentitySnapshot): ConnectionOptions {
  return {
    secureContext: secureContextOf(snapshot),
    rejectUnauthorized: true,
    checkServerIdentity: () => undefined,
  };
}

function contextOptions({ svid, privateKey, bundle }: IdentitySnapshot): SecureContextOptions {
  return {
    cert: certificatesToPem(svid.chainDer),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }), // node:tls takes no KeyObject
    ca: trustBundleToPem(bundle),
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ciphers: cipherSuites,
    honorCipherOrder: true,
    // No resumption: without stateless tickets only a session cache could resume, and nobody keeps one.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
