import type { SecretRefusal } from '#control-plane/registry/secrets.ts';
import { unreachable } from '#runtime/result.ts';
import type { TokenProblem } from '#tokens/problem.ts';

/** Error words of RFC 6749, section 5.2, RFC 8693, section 2.2.2 and RFC 8707, section 2. */
export type OAuthError =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'invalid_scope'
  | 'invalid_target'
  | 'temporarily_unavailable';

/** Why a client is not believed, or may ask for nothing. */
export type ClientProblem =
  | 'no-client-authentication'
  | 'several-client-authentications'
  | 'unregistered'
  /** Registered, and not approved or disabled; told to whom has proved to be it. */
  | 'pending'
  | 'disabled'
  | 'other-authentication'
  | 'bad-svid'
  | 'client-id-is-not-the-svid'
  | 'wrong-secret'
  | 'bad-assertion'
  | 'assertion-replayed'
  | 'not-a-source-identity'
  | 'too-many-failed-clients';

export type GrantProblem =
  | 'grant-not-registered'
  | 'token-type-not-registered'
  | 'unknown-token-type'
  | 'audience-not-registered'
  | 'audience-of-another-tenant'
  | 'bad-scope'
  | 'scope-not-registered'
  | 'scope-not-in-subject-token'
  | 'no-certificate-to-bind-to'
  | 'binding-not-supported'
  | 'certificate-expires'
  | 'public-client-without-subject'
  | 'bad-subject-token-type'
  | 'bad-subject-token'
  | 'subject-token-not-for-client'
  | 'subject-token-is-bound'
  | 'subject-token-revoked'
  | 'subject-token-expires'
  | 'subject-is-a-client'
  | 'may-not-act'
  | 'actor-twice'
  | 'too-many-actors'
  | 'rate-limited'
  | 'no-signing-key'
  | 'token-too-large';

export type TokenReason = ClientProblem | GrantProblem;

export interface TokenRefusal {
  readonly reason: TokenReason;
  /** For the log: what exactly, e.g. the verifier's word; never for the caller. */
  readonly detail?: TokenProblem | SecretRefusal;
  readonly retryAfterMs?: number;
}

/** What a caller may learn. */
export interface OAuthAnswer {
  readonly error: OAuthError;
  readonly description: string;
}

const say = (error: OAuthError, description: string): OAuthAnswer => ({ error, description });
const stranger = say('invalid_client', 'the client is not registered, or did not prove who it is');

/** Strangers hear one answer, whatever was wrong; who has proved to be a client hears what to change (A33, A34). */
export function oauthAnswer(reason: TokenReason): OAuthAnswer {
  switch (reason) {
    case 'no-client-authentication':
    case 'several-client-authentications':
    case 'unregistered':
    case 'other-authentication':
    case 'bad-svid':
    case 'client-id-is-not-the-svid':
    case 'wrong-secret':
    case 'bad-assertion':
    case 'assertion-replayed':
    case 'not-a-source-identity':
      return stranger;
    case 'too-many-failed-clients':
    case 'rate-limited':
      return say('temporarily_unavailable', 'too many requests: come back later');
    case 'no-signing-key':
      return say('temporarily_unavailable', 'there is no key to sign with yet: come back later');
    case 'pending':
      return say('unauthorized_client', 'the registration waits for approval');
    case 'disabled':
      return say('unauthorized_client', 'the registration is disabled');
    case 'grant-not-registered':
      return say('unauthorized_client', 'this grant is not registered for the client');
    case 'public-client-without-subject':
      return say('unauthorized_client', 'a public client needs the token of a user');
    case 'token-type-not-registered':
      return say('unauthorized_client', 'this type of token is not registered for the client');
    case 'binding-not-supported':
      return say('unauthorized_client', 'tokens bound by DPoP are not issued here');
    case 'audience-not-registered':
    case 'audience-of-another-tenant':
      return say('invalid_target', 'the client is not registered for this audience');
    case 'bad-scope':
      return say('invalid_scope', 'the scope is malformed or too long');
    case 'scope-not-registered':
      return say('invalid_scope', 'the client is not registered for this scope at this audience');
    case 'scope-not-in-subject-token':
      return say('invalid_scope', 'the subject token does not have this scope');
    default:
      return requestAnswer(reason);
  }
}

type RequestReason =
  | 'unknown-token-type'
  | 'no-certificate-to-bind-to'
  | 'certificate-expires'
  | 'bad-subject-token-type'
  | 'bad-subject-token'
  | 'subject-token-not-for-client'
  | 'subject-token-is-bound'
  | 'subject-token-revoked'
  | 'subject-token-expires'
  | 'subject-is-a-client'
  | 'may-not-act'
  | 'actor-twice'
  | 'too-many-actors'
  | 'token-too-large';

function requestAnswer(reason: RequestReason): OAuthAnswer {
  switch (reason) {
    case 'unknown-token-type':
      return say('invalid_request', 'this type of token is not issued');
    case 'no-certificate-to-bind-to':
      return say('invalid_request', 'the token is bound to a client certificate: come with one');
    case 'certificate-expires':
      return say('invalid_request', 'the client certificate expires: come with a new one');
    case 'may-not-act':
      return say('invalid_request', 'the subject token names another actor');
    case 'actor-twice':
    case 'too-many-actors':
      return say('invalid_request', 'the chain of actors is too long or goes in a circle');
    case 'token-too-large':
      return say('invalid_request', 'the token would be too large');
    case 'bad-subject-token-type':
    case 'bad-subject-token':
    case 'subject-token-not-for-client':
    case 'subject-token-is-bound':
    case 'subject-token-revoked':
    case 'subject-token-expires':
    case 'subject-is-a-client':
      return say('invalid_request', 'the subject token is not acceptable');
    default:
      return unreachable(reason);
  }
}
