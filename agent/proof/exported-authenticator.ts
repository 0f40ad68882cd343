import { createHash, createHmac, timingSafeEqual, type Hash, type KeyObject } from 'node:crypto';
import type { VerifiedPeer } from '#agent/tls/verified-peer.ts';
import { readCertificate } from '#certs/certificate.ts';
import { importSpki } from '#certs/public-key.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { TrustBundle } from '#certs/trust-bundle.ts';
import { maxChainLength, verifySvid, type SvidProblem } from '#certs/verify-svid.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { AuthenticatorKeys, SenderKeys, TlsRole } from './authenticator-keys.ts';
import type { AuthenticatorRequest } from './authenticator-request.ts';
import { handshakeMessage, messageTypes, type HandshakeMessage } from './handshake-message.ts';
import { isSignedWith, schemeFor, signWith } from './signature-schemes.ts';
import { MalformedWire, WireReader, wireUint, wireVector } from './wire-reader.ts';

/** Certificate, CertificateVerify and Finished, in this order: the proof of one certificate's key on one connection (RFC 9261, section 5.2). */
export interface Authenticator {
  readonly certificate: HandshakeMessage;
  readonly certificateVerify: HandshakeMessage;
  readonly finished: HandshakeMessage;
}

export type AuthenticatorProblem =
  | 'malformed'
  /** Made for another request than the one asked with: an old one, for one. */
  | 'other-context'
  /** Not made on this connection, or changed on the way. */
  | 'bad-finished'
  /** Not made with the certificate's key. */
  | 'bad-signature'
  /** A good proof of somebody else than this session's peer. */
  | 'other-identity'
  | SvidProblem;

/** One end's keys of one connection. */
export interface AuthenticatorSender {
  readonly keys: AuthenticatorKeys;
  /** The end that sends the authenticator. */
  readonly role: TlsRole;
}

/** Answers `request` with a chain (leaf first) and its key. Refused when the asker takes no scheme of the key's kind. */
export function makeAuthenticator(
  request: AuthenticatorRequest,
  own: { readonly chainDer: readonly Buffer[]; readonly privateKey: KeyObject },
  { keys, role }: AuthenticatorSender,
): Result<Authenticator, 'no-common-scheme'> {
  const [leafDer] = own.chainDer;
  const leaf = leafDer && readCertificate(leafDer);
  const scheme = leaf?.ok ? schemeFor(leaf.value.keyKind) : undefined;
  if (!scheme || !request.schemes.includes(scheme.code)) return refuse('no-common-scheme');
  const certificate = handshakeMessage(messageTypes.certificate, certificateBody(request.context, own.chainDer));
  const transcript = createHash(keys.hash)
    .update(keys[role].handshakeContext)
    .update(request.message.whole)
    .update(certificate.whole);
  const signature = signWith(scheme, own.privateKey, signedBytes(transcript));
  const verifyBody = Buffer.concat([wireUint(2, scheme.code), wireVector(2, signature)]);
  const certificateVerify = handshakeMessage(messageTypes.certificateVerify, verifyBody);
  const mac = finishedMac(keys, keys[role], transcript.update(certificateVerify.whole));
  return ok({ certificate, certificateVerify, finished: handshakeMessage(messageTypes.finished, mac) });
}

/**
 * Judges an authenticator that came for `request`, the last one asked with. The chain is judged by our own verifier
 * with our bundle at `nowMs`; the identity must be `expected`. A request is good for one authenticator: that it is
 * not used again is the caller's care.
 */
export function verifyAuthenticator(
  authenticator: Authenticator,
  request: AuthenticatorRequest,
  check: AuthenticatorSender & {
    readonly bundle: TrustBundle;
    readonly nowMs: number;
    readonly expected: SpiffeId;
  },
): Result<VerifiedPeer, AuthenticatorProblem> {
  const read = readMessages(authenticator);
  if (!read.ok) return read;
  const { context, chainDer, schemeCode, signature } = read.value;
  if (!context.equals(request.context)) return refuse('other-context');

  const { certificate, certificateVerify, finished } = authenticator;
  const sender = check.keys[check.role];
  const transcript = createHash(check.keys.hash)
    .update(sender.handshakeContext)
    .update(request.message.whole)
    .update(certificate.whole);
  const signed = signedBytes(transcript);
  const mac = finishedMac(check.keys, sender, transcript.update(certificateVerify.whole));
  if (mac.length !== finished.body.length || !timingSafeEqual(mac, finished.body)) return refuse('bad-finished');

  const svid = verifySvid(chainDer, check);
  if (!svid.ok) return svid;
  if (!isSignedByLeaf(chainDer, { schemeCode, bytes: signed, signature })) return refuse('bad-signature');
  if (svid.value.spiffeId !== check.expected) return refuse('other-identity');
  return ok({ spiffeId: svid.value.spiffeId, svid: svid.value });
}

/** RFC 8446, section 4.4.2: each certificate with an empty list of extensions, because the request offers none for it. */
function certificateBody(context: Buffer, chainDer: readonly Buffer[]): Buffer {
  const entries = chainDer.flatMap((der) => [wireVector(3, der), wireVector(2, Buffer.alloc(0))]);
  return Buffer.concat([wireVector(1, context), wireVector(3, Buffer.concat(entries))]);
}

interface ReadAuthenticator {
  readonly context: Buffer;
  readonly chainDer: readonly Buffer[];
  readonly schemeCode: number;
  readonly signature: Buffer;
}

function readMessages({
  certificate,
  certificateVerify,
}: Authenticator): Result<ReadAuthenticator, 'malformed' | 'too-large'> {
  try {
    const body = new WireReader(certificate.body);
    const context = body.vector(1);
    const entries = new WireReader(body.vector(3));
    body.end();
    const chainDer: Buffer[] = [];
    while (entries.hasMore) {
      if (chainDer.length === maxChainLength) return refuse('too-large');
      chainDer.push(entries.vector(3));
      if (entries.vector(2).length > 0) return refuse('malformed'); // only what the request offered, and it offers none
    }
    const verify = new WireReader(certificateVerify.body);
    const schemeCode = verify.uint(2);
    const signature = verify.vector(2);
    verify.end();
    return ok({ context, chainDer, schemeCode, signature });
  } catch (cause) {
    if (cause instanceof MalformedWire) return refuse('malformed');
    throw cause;
  }
}

function isSignedByLeaf(
  [leafDer]: readonly Buffer[],
  proof: { readonly schemeCode: number; readonly bytes: Buffer; readonly signature: Buffer },
): boolean {
  const leaf = leafDer && readCertificate(leafDer);
  if (!leaf?.ok) return false;
  const scheme = schemeFor(leaf.value.keyKind);
  const key = importSpki(leaf.value.spkiDer);
  return scheme?.code === proof.schemeCode && key !== undefined && isSignedWith(scheme, key, proof);
}

const signaturePrefix = Buffer.concat([Buffer.alloc(64, 0x20), Buffer.from('Exported Authenticator\0', 'latin1')]);

/** What the certificate's key signs (RFC 9261, section 5.2.2). The transcript can go on afterwards. */
function signedBytes(transcript: Hash): Buffer {
  return Buffer.concat([signaturePrefix, transcript.copy().digest()]);
}

function finishedMac({ hash }: AuthenticatorKeys, { finishedKey }: SenderKeys, transcript: Hash): Buffer {
  return createHmac(hash, finishedKey).update(transcript.digest()).digest();
}
