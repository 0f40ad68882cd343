import type { ControlPlaneEvent } from '#control-plane/events.ts';
import { createRateLimiter, type RateLimit } from '#control-plane/limits.ts';
import { maxTokenLifeMs } from '#control-plane/registry/model.ts';
import type { RegisteredClient, Registry } from '#control-plane/registry/registry.ts';
import type { Store } from '#control-plane/store/store.ts';
import { addressKey } from '#proto/address-key.ts';
import type { Clock } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';
import type { Emit } from '#runtime/log.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { VerifiedAccessToken } from '#tokens/access-token.ts';
import { parseAudience } from '#tokens/claims.ts';
import { mintAccessToken } from '#tokens/mint.ts';
import { createSeenIds } from '#tokens/seen-ids.ts';
import type { TrustedIssuer } from '#tokens/trusted-issuer.ts';
import { createVerifiedTokens } from '#tokens/verified-tokens.ts';
import { authenticateClient, type Caller, type Credentials } from './client.ts';
import { accessTokenType, decideGrant, type BindingRule } from './grant.ts';
import { introspectionOf, type Introspection } from './introspection.ts';
import { oauthAnswer, type OAuthAnswer, type TokenRefusal } from './refusals.ts';
import { createRevokedTokens } from './revoked-tokens.ts';
import type { PublishedKeys, SigningKeys } from './signing-keys.ts';
import { acceptSubjectToken, skewSeconds, verifyForItsAudience } from './subject-token.ts';
import { createTokenLog, type TokenCounts } from './token-log.ts';
import { createTrustedKeys } from './trusted-keys.ts';

export interface StsLimits {
  /** Requests per client. */
  readonly tokensPerClient: RateLimit;
  /** Clients that did not prove who they are, per address (IPv6: per /64). */
  readonly failedClientsPerAddress: RateLimit;
}

export interface StsParts {
  /** As in `iss`, byte for byte. */
  readonly issuer: string;
  readonly trustDomain: string;
  readonly lifeMs: number;
  readonly registry: Registry;
  readonly keys: SigningKeys;
  /** Others whose users' tokens may be exchanged. */
  readonly foreignIssuers?: readonly TrustedIssuer[];
  readonly store: Pick<Store, 'write'>;
  readonly limits: StsLimits;
  readonly clock: Clock;
  readonly emit: Emit<ControlPlaneEvent>;
}

/** A request as a door read it. */
export interface TokenRequest {
  readonly credentials: Credentials;
  /** One audience; empty: none was named. */
  readonly audience: string;
  /** None: all that the registration allows there. */
  readonly scopes: readonly string[];
  /** Undefined: `client_credentials`. */
  readonly subject: { readonly token: string; readonly type: string } | undefined;
  /** URN; empty: an access token. */
  readonly requestedTokenType: string;
  readonly binding: BindingRule;
}

export interface IssuedToken {
  readonly token: string;
  readonly issuedTokenType: string;
  readonly scopes: readonly string[];
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

export interface RefusedToken extends OAuthAnswer {
  /** With `temporarily_unavailable`. */
  readonly retryAfterMs: number | undefined;
}

/** The security token service (RFC 8693), the same behind every door. */
export interface Sts {
  readonly issuer: string;
  issue(request: TokenRequest, caller: Caller): Promise<Result<IssuedToken, RefusedToken>>;
  /** For a service that the token is for; for everybody else, and of every token that is not good, it is not active (A36). */
  introspect(token: string, credentials: Credentials, caller: Caller): Result<Introspection, RefusedToken>;
  /** RFC 7009: by the client that got it. Whatever the token is, the answer is the same. */
  revoke(token: string, credentials: Credentials, caller: Caller): Result<void, RefusedToken>;
  keys(): PublishedKeys;
  counts(): TokenCounts;
  close(): Promise<void>;
}

const tokenTypeForms: readonly string[] = [accessTokenType, 'urn:ietf:params:oauth:token-type:jwt'];
const maxSeenAssertions = 100_000;
const rememberedTokens = { maxTokens: 10_000, maxLength: 16 * 1024 * 1024, skewSeconds };
const maxLifetimeSeconds = maxTokenLifeMs / 1000;

/** Throws `STS_ISSUER_UNUSABLE`. */
export function createSts(parts: StsParts): Sts {
  const { registry, keys, clock, lifeMs } = parts;
  const issuer = parseAudience(parts.issuer);
  if (!issuer.ok) throw new Fault('STS_ISSUER_UNUSABLE', `${parts.issuer} is no name for an issuer`);
  const log = createTokenLog(parts);
  const trusted = createTrustedKeys(parts);
  const revoked = createRevokedTokens();
  const perClient = createRateLimiter(parts.limits.tokensPerClient, clock);
  const failed = createRateLimiter(parts.limits.failedClientsPerAddress, clock);
  const subjects = {
    registry,
    issuer: parts.issuer,
    issuers: trusted.issuers,
    epoch: trusted.epoch,
    verified: createVerifiedTokens<VerifiedAccessToken>(rememberedTokens),
    isRevoked: (token: VerifiedAccessToken): boolean => token.issuer === parts.issuer && revoked.has(token.tokenId),
  };
  const clients = { registry, issuer: issuer.value, seenAssertions: createSeenIds(maxSeenAssertions) };
  const own = { issuer: parts.issuer, subjects: trusted.ownSubjects };

  function refused(refusal: TokenRefusal, client: string, about: { audience: string }, caller: Caller) {
    const { reason, detail = '', retryAfterMs } = refusal;
    log.refused({ reason, detail, client, audience: about.audience.slice(0, 512), peer: caller.address });
    return refuse({ ...oauthAnswer(reason), retryAfterMs });
  }

  /** Guessing is slow; whoever has a good proof is never held up by it. */
  function known(credentials: Credentials, caller: Caller): Result<RegisteredClient, TokenRefusal> {
    const client = authenticateClient(credentials, caller, { ...clients, nowMs: clock.now() });
    if (!client.ok) {
      const admission = failed.take(addressKey(caller.address));
      return admission.admitted
        ? client
        : refuse({ reason: 'too-many-failed-clients', retryAfterMs: admission.retryAfterMs });
    }
    const admission = perClient.take(client.value.name);
    return admission.admitted ? client : refuse({ reason: 'rate-limited', retryAfterMs: admission.retryAfterMs });
  }

  function subjectOf(
    { subject }: TokenRequest,
    client: RegisteredClient,
    caller: Caller,
  ): Result<VerifiedAccessToken | undefined, TokenRefusal> {
    if (subject === undefined) return ok(undefined);
    if (!client.grants.has('token_exchange')) return refuse({ reason: 'grant-not-registered' });
    if (!tokenTypeForms.includes(subject.type)) return refuse({ reason: 'bad-subject-token-type' });
    return acceptSubjectToken(subject.token, client, caller, { ...subjects, nowMs: clock.now() });
  }

  async function issueTo(
    client: RegisteredClient,
    request: TokenRequest,
    caller: Caller,
  ): Promise<Result<IssuedToken, TokenRefusal>> {
    const subject = subjectOf(request, client, caller);
    if (!subject.ok) return subject;
    const nowMs = clock.now();
    const granted = decideGrant(request, { client, subject: subject.value, caller, registry, lifeMs, nowMs });
    if (!granted.ok) return granted;
    const key = keys.current();
    if (key === undefined) return refuse({ reason: 'no-signing-key', retryAfterMs: 1_000 });
    const { content, lifetimeSeconds, issuedTokenType } = granted.value;
    const token = await mintAccessToken(content, own, { key, nowMs, lifetimeSeconds, maxLifetimeSeconds });
    if (!token.ok) {
      if (token.reason === 'too-large') return refuse({ reason: 'token-too-large' });
      throw new Fault('TOKEN_NOT_MINTED', `a token that was granted breaks our own rules: ${token.reason}`);
    }
    log.issued(granted.value);
    const issuedAtMs = Math.floor(nowMs / 1000) * 1000;
    const expiresAtMs = issuedAtMs + lifetimeSeconds * 1000;
    return ok({ token: token.value, issuedTokenType, scopes: content.scopes, issuedAtMs, expiresAtMs });
  }

  return {
    issuer: parts.issuer,
    async issue(request, caller) {
      const client = known(request.credentials, caller);
      if (!client.ok) return refused(client.reason, '', request, caller);
      const issued = await issueTo(client.value, request, caller);
      return issued.ok ? issued : refused(issued.reason, client.value.name, request, caller);
    },
    introspect(token, credentials, caller) {
      const client = known(credentials, caller);
      if (!client.ok) return refused(client.reason, '', { audience: '' }, caller);
      if (client.value.authentication.kind === 'public') {
        return refused({ reason: 'no-client-authentication' }, client.value.name, { audience: '' }, caller);
      }
      const verified = verifyForItsAudience(token, clock.now(), subjects);
      if (!verified.ok || subjects.isRevoked(verified.value)) return ok({ active: false });
      const service = registry.service(verified.value.audience);
      const isFor = service.ok && service.value.owners.has(client.value.name);
      const isHeld = verified.value.issuer !== parts.issuer || registry.client(verified.value.clientId).ok;
      return ok(isFor && isHeld ? introspectionOf(verified.value) : { active: false });
    },
    revoke(token, credentials, caller) {
      const client = known(credentials, caller);
      if (!client.ok) return refused(client.reason, '', { audience: '' }, caller);
      const verified = verifyForItsAudience(token, clock.now(), subjects);
      if (!verified.ok || verified.value.clientId !== client.value.name) return ok(undefined);
      const { tokenId, expiresAtMs } = verified.value;
      if (revoked.add(tokenId, expiresAtMs + skewSeconds * 1000, clock.now())) return ok(undefined);
      throw new Fault('REVOCATIONS_FULL', 'too many tokens are revoked at once');
    },
    keys: () => keys.published(),
    counts: () => log.counts(),
    close: () => log.close(),
  };
}
