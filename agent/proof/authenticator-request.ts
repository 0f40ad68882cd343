import { ok, refuse, type Result } from '#runtime/result.ts';
import type { TlsRole } from './authenticator-keys.ts';
import { handshakeMessage, messageTypes, type HandshakeMessage } from './handshake-message.ts';
import { signatureSchemes } from './signature-schemes.ts';
import { MalformedWire, WireReader, wireUint, wireVector } from './wire-reader.ts';

/** How long our contexts are, bytes; a peer's are as long. Random, so that no authenticator can be made beforehand. */
export const requestContextBytes = 32;

/** An authenticator request (RFC 9261, section 4), as the one who answers sees it. */
export interface AuthenticatorRequest {
  readonly message: HandshakeMessage;
  /** Identifies the request; the answer repeats it. */
  readonly context: Buffer;
  /** Codes of the signature schemes that the asker takes. */
  readonly schemes: readonly number[];
}

const signatureAlgorithms = 13; // RFC 8446, section 4.2

/** What a client asks with is a message of its own, so that neither end can take its own request for the other's. */
export function requestType(asker: TlsRole): number {
  return asker === 'client' ? messageTypes.clientCertificateRequest : messageTypes.certificateRequest;
}

/** Asks the other end for an authenticator; takes every scheme we can check. */
export function writeAuthenticatorRequest(asker: TlsRole, context: Buffer): AuthenticatorRequest {
  const schemes = signatureSchemes.map(({ code }) => code);
  const list = wireVector(2, Buffer.concat(schemes.map((code) => wireUint(2, code))));
  const extensions = Buffer.concat([wireUint(2, signatureAlgorithms), wireVector(2, list)]);
  const body = Buffer.concat([wireVector(1, context), wireVector(2, extensions)]);
  return { message: handshakeMessage(requestType(asker), body), context, schemes };
}

/** Reads what the other end asks with. Extensions we do not know are ignored, as section 5.2.1 wants; none may be there twice. */
export function readAuthenticatorRequest(
  message: HandshakeMessage,
  asker: TlsRole,
): Result<AuthenticatorRequest, 'bad-request'> {
  if (message.type !== requestType(asker)) return refuse('bad-request');
  try {
    const body = new WireReader(message.body);
    const context = body.vector(1);
    const schemes = readSchemes(new WireReader(body.vector(2)));
    body.end();
    if (context.length !== requestContextBytes || schemes === undefined) return refuse('bad-request');
    return ok({ message, context, schemes });
  } catch (cause) {
    if (cause instanceof MalformedWire) return refuse('bad-request');
    throw cause;
  }
}

function readSchemes(extensions: WireReader): number[] | undefined {
  const seen = new Set<number>();
  let schemes: number[] | undefined;
  while (extensions.hasMore) {
    const type = extensions.uint(2);
    const data = extensions.vector(2);
    if (seen.has(type)) throw new MalformedWire();
    seen.add(type);
    if (type === signatureAlgorithms) schemes = readSchemeList(data);
  }
  return schemes;
}

function readSchemeList(data: Buffer): number[] {
  const outer = new WireReader(data);
  const list = new WireReader(outer.vector(2));
  outer.end();
  const schemes: number[] = [];
  while (list.hasMore) schemes.push(list.uint(2));
  if (schemes.length === 0) throw new MalformedWire();
  return schemes;
}
