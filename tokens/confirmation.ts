import { ok, refuse, type Result } from '#runtime/result.ts';
import { decodeBase64url } from './base64url.ts';
import type { PresenterProblem } from './problem.ts';
import { isJsonObject, type JsonObject } from './strict-json.ts';

/** What its bearer must prove to hold (`cnf`, RFC 7800). Both undefined: whoever has the token may use it. */
export interface Confirmation {
  /** `x5t#S256` (RFC 8705, section 3.1) in the spelling of `X509Svid.thumbprint`: lower-case hex. */
  readonly certificateThumbprint: string | undefined;
  /** `jkt` (RFC 9449, section 6.1), base64url. */
  readonly dpopThumbprint: string | undefined;
}

/** Who shows the token, as far as this connection and this request prove it; forwarded headers prove nothing (A18). */
export interface Presenter {
  /** Of the client certificate of this TLS connection, lower-case hex. */
  readonly certificateThumbprint: string | undefined;
  /** Of the key of a DPoP proof that was verified for this request. */
  readonly dpopThumbprint: string | undefined;
}

/** Tokens without `cnf`. `accept`: a stolen one works; for routes that ask for it. */
export type UnboundTokens = 'refuse' | 'accept';

const sha256Bytes = 32;

/** A `cnf` that holds nothing we can check is refused: it was meant to bind. */
export function readConfirmation(claims: JsonObject): Result<Confirmation, 'bad-cnf'> {
  const cnf = claims.get('cnf');
  if (cnf === undefined) return ok(unbound);
  if (!isJsonObject(cnf) || cnf.size === 0) return refuse('bad-cnf');
  let certificateThumbprint: string | undefined;
  let dpopThumbprint: string | undefined;
  for (const [method, value] of cnf) {
    const bytes = typeof value === 'string' ? decodeBase64url(value) : undefined;
    if (bytes?.length !== sha256Bytes) return refuse('bad-cnf');
    if (method === 'x5t#S256') certificateThumbprint = bytes.toString('hex');
    else if (method === 'jkt') dpopThumbprint = bytes.toString('base64url');
    else return refuse('bad-cnf');
  }
  return ok({ certificateThumbprint, dpopThumbprint });
}

const unbound: Confirmation = Object.freeze({ certificateThumbprint: undefined, dpopThumbprint: undefined });

/** Compares with the presenter, exactly (A17–A19). Undefined: it is theirs. */
export function presenterProblem(
  confirmation: Confirmation,
  presenter: Presenter,
  unboundTokens: UnboundTokens,
): PresenterProblem | undefined {
  const { certificateThumbprint, dpopThumbprint } = confirmation;
  if (certificateThumbprint !== undefined) {
    if (presenter.certificateThumbprint === undefined) return 'no-certificate';
    if (presenter.certificateThumbprint !== certificateThumbprint) return 'other-certificate';
  }
  if (dpopThumbprint !== undefined && presenter.dpopThumbprint === undefined) return 'no-dpop-proof';
  if (presenter.dpopThumbprint !== dpopThumbprint) return 'other-dpop-key';
  const isBound = certificateThumbprint !== undefined || dpopThumbprint !== undefined;
  return isBound || unboundTokens === 'accept' ? undefined : 'not-bound';
}

/** `x5t#S256` of a certificate with this thumbprint (lower-case hex). */
export function x5tS256(thumbprint: string): string {
  return Buffer.from(thumbprint, 'hex').toString('base64url');
}
