import { ok, refuse, type Result } from '#runtime/result.ts';
import * as tables from './tables.ts';
import { decode, encode, type Decoded } from './wire.ts';

/** Between agents and the control plane's security token service; see docs/adr/0019. */

const maxIssuers = 16;
const maxIssuerLength = 2048;
const maxKeysLength = 64 * 1024;
const maxTokenLength = 8192;
const maxScopes = 256;
const maxDescriptionLength = 500;
const errorForm = /^[a-z][a-z_]{0,49}$/;

/** Whose tokens are good, and by which keys. */
export interface TokenIssuer {
  /** As in `iss`, byte for byte. */
  readonly issuer: string;
  /** JWK Set (RFC 7517, section 5), JSON; not yet read. */
  readonly jwks: string;
  /** Only grows. */
  readonly version: number;
}

/** Texts as the workload's agent wrote them: the service judges them, and answers in the words of RFC 6749. */
export interface ExchangeTokenRequest {
  /** A SPIFFE ID or a registered audience. */
  readonly audience: string;
  /** None: all that the registration allows there. */
  readonly scopes: readonly string[];
  /** Empty: a token of the workload itself. */
  readonly subjectToken: string;
  readonly subjectTokenType: string;
  /** Empty: an access token. */
  readonly requestedTokenType: string;
}

export type ExchangeTokenResponse =
  | {
      readonly kind: 'issued';
      /** Compact JWS, at most 8 KiB. */
      readonly token: string;
      /** URN (RFC 8693, section 3). */
      readonly issuedTokenType: string;
      /** Granted. */
      readonly scopes: readonly string[];
      /** The issuer's clock, milliseconds since 1970. */
      readonly issuedAtMs: number;
      readonly expiresAtMs: number;
    }
  /** `error` as in RFC 6749, section 5.2, RFC 8693, section 2.2.2; `description` in plain words. */
  | { readonly kind: 'refused'; readonly error: string; readonly description: string };

/** At most 16 issuers, each once, with something that may be keys. */
export function toTokenIssuers({
  issuers,
}: Decoded<typeof tables.tokenKeys>): Result<readonly TokenIssuer[], 'bad-token-issuer'> {
  const isEach = issuers.every(
    ({ issuer, jwks, version }) =>
      issuer !== '' && issuer.length <= maxIssuerLength && jwks.length <= maxKeysLength && version >= 1,
  );
  const isOnce = new Set(issuers.map(({ issuer }) => issuer)).size === issuers.length;
  return isEach && isOnce && issuers.length <= maxIssuers ? ok(issuers) : refuse('bad-token-issuer');
}

export function encodeExchangeTokenRequest(request: ExchangeTokenRequest): Buffer {
  return encode(tables.exchangeTokenRequest, request);
}

/** Its texts are judged by the service; their size by what a request may have. */
export function parseExchangeTokenRequest(bytes: Uint8Array): Result<ExchangeTokenRequest, 'malformed'> {
  return decode(tables.exchangeTokenRequest, bytes);
}

export function encodeExchangeTokenResponse(response: ExchangeTokenResponse): Buffer {
  if (response.kind === 'issued') {
    const { kind: _issued, ...fields } = response;
    return encode(tables.exchangeTokenResponse, fields);
  }
  const { error, description: errorDescription } = response;
  return encode(tables.exchangeTokenResponse, { error, errorDescription });
}

export function parseExchangeTokenResponse(
  bytes: Uint8Array,
): Result<ExchangeTokenResponse, 'malformed' | 'bad-token' | 'bad-token-error'> {
  const decoded = decode(tables.exchangeTokenResponse, bytes);
  if (!decoded.ok) return decoded;
  const { error, errorDescription, ...issued } = decoded.value;
  if (error !== '') {
    if (!errorForm.test(error) || issued.token !== '') return refuse('bad-token-error');
    return ok({ kind: 'refused', error, description: errorDescription.slice(0, maxDescriptionLength) });
  }
  const { token, scopes, issuedAtMs, expiresAtMs } = issued;
  const isToken = token !== '' && token.length <= maxTokenLength && scopes.length <= maxScopes;
  if (!isToken || issuedAtMs <= 0 || expiresAtMs <= issuedAtMs) return refuse('bad-token');
  return ok({ kind: 'issued', ...issued });
}
