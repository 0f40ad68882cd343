import type { RegisteredClient, Registry } from '#control-plane/registry/registry.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { checkPresenter, verifyAccessToken, type VerifiedAccessToken } from '#tokens/access-token.ts';
import { parseAudience, type Audience } from '#tokens/claims.ts';
import { readClaims, readCompactJws } from '#tokens/compact-jws.ts';
import type { TrustedIssuers } from '#tokens/trusted-issuer.ts';
import type { VerifiedTokens } from '#tokens/verified-tokens.ts';
import type { Caller } from './client.ts';
import type { TokenRefusal } from './refusals.ts';

export interface SubjectTokenParts {
  readonly registry: Registry;
  /** Ours by its published keys, and those whose users may come. */
  issuers(): TrustedIssuers;
  readonly issuer: string;
  readonly verified: VerifiedTokens<VerifiedAccessToken>;
  /** Grows when every token is to be judged anew. */
  epoch(): number;
  isRevoked(token: VerifiedAccessToken): boolean;
}

export const skewSeconds = 30;

/** Verifies a token of ours or of a trusted issuer for the audience that it names itself: who that is, is asked next. */
export function verifyForItsAudience(
  text: string,
  nowMs: number,
  { issuers, verified, epoch }: Pick<SubjectTokenParts, 'issuers' | 'verified' | 'epoch'>,
): Result<VerifiedAccessToken, TokenRefusal> {
  const known = verified.get(text, nowMs, epoch());
  if (known !== undefined) return ok(known);
  const audience = audienceOf(text);
  if (audience === undefined) return refuse({ reason: 'bad-subject-token', detail: 'malformed' });
  const token = verifyAccessToken(text, { issuers: issuers(), audience, nowMs, skewSeconds });
  if (!token.ok) return refuse({ reason: 'bad-subject-token', detail: token.reason });
  verified.put(text, token.value, epoch());
  return token;
}

/**
 * A token that this client may exchange: it was sent to a service that the client is (A29), nobody revoked it, and whoever
 * got it may still have tokens. It stays bound to whom it was issued to, which is not the client: a service shows what it was
 * sent. A public client proves nothing, so it must be the holder.
 */
export function acceptSubjectToken(
  text: string,
  client: RegisteredClient,
  caller: Caller,
  parts: SubjectTokenParts & { readonly nowMs: number },
): Result<VerifiedAccessToken, TokenRefusal> {
  const { registry, nowMs } = parts;
  const verified = verifyForItsAudience(text, nowMs, parts);
  if (!verified.ok) return verified;
  const token = verified.value;
  const service = registry.service(token.audience);
  if (!service.ok || !service.value.owners.has(client.name)) return refuse({ reason: 'subject-token-not-for-client' });
  if (parts.isRevoked(token)) return refuse({ reason: 'subject-token-revoked' });
  if (token.issuer === parts.issuer) {
    const holder = registry.client(token.clientId);
    if (!holder.ok) return refuse({ reason: 'subject-token-revoked', detail: holder.reason });
  } else if (registry.client(token.subject).ok) {
    return refuse({ reason: 'subject-is-a-client' }); // a foreign issuer does not speak of our clients
  }
  if (client.authentication.kind !== 'public') return verified;
  const presenter = { certificateThumbprint: caller.svid?.thumbprint, dpopThumbprint: undefined };
  const presented = checkPresenter(token, presenter, 'accept');
  return presented.ok ? verified : refuse({ reason: 'subject-token-is-bound', detail: presented.reason });
}

/** What `aud` says, not believed yet. */
function audienceOf(text: string): Audience | undefined {
  const jws = readCompactJws(text);
  const claims = jws.ok ? readClaims(jws.value) : undefined;
  const aud = claims?.ok ? claims.value.get('aud') : undefined;
  const audience = typeof aud === 'string' ? parseAudience(aud) : undefined;
  return audience?.ok ? audience.value : undefined;
}
