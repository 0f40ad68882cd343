import { randomBytes } from 'node:crypto';
import { maxTokenLifeMs } from '#control-plane/registry/model.ts';
import type { RegisteredClient, Registry } from '#control-plane/registry/registry.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { VerifiedAccessToken } from '#tokens/access-token.ts';
import type { Actor } from '#tokens/actors.ts';
import type { AccessContent } from '#tokens/mint.ts';
import { parseScope } from '#tokens/scopes.ts';
import type { Caller } from './client.ts';
import type { GrantProblem, TokenRefusal } from './refusals.ts';

export const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';
const jwtType = 'urn:ietf:params:oauth:token-type:jwt';
const maxActors = 4;

/** Whom a token is bound to: `certificate` always, whatever the registration allows, or as the registration says. */
export type BindingRule = 'certificate' | 'registered';

export interface GrantRequest {
  /** Exactly one. */
  readonly audience: string;
  /** None: all that may be. */
  readonly scopes: readonly string[];
  /** URN; empty: an access token. */
  readonly requestedTokenType: string;
  readonly binding: BindingRule;
}

/** What is to be signed. */
export interface Granted {
  readonly content: AccessContent;
  readonly lifetimeSeconds: number;
  readonly issuedTokenType: string;
  readonly grant: 'client_credentials' | 'token_exchange';
}

export interface GrantFacts {
  readonly client: RegisteredClient;
  /** Verified, and this client's to exchange; undefined: none was given. */
  readonly subject: VerifiedAccessToken | undefined;
  readonly caller: Pick<Caller, 'svid'>;
  readonly registry: Pick<Registry, 'service'>;
  /** The setting `tokens.life`. */
  readonly lifeMs: number;
  readonly nowMs: number;
}

const no = (reason: GrantProblem): Result<never, TokenRefusal> => refuse({ reason });

/** Decides what a client gets: never more than its registration, the subject token and the certificate allow together. */
export function decideGrant(request: GrantRequest, facts: GrantFacts): Result<Granted, TokenRefusal> {
  const { client, subject } = facts;
  const grant = subject === undefined ? 'client_credentials' : 'token_exchange';
  if (subject === undefined && client.authentication.kind === 'public') return no('public-client-without-subject');
  if (!client.grants.has(grant)) return no('grant-not-registered');
  const type = request.requestedTokenType === '' ? accessTokenType : request.requestedTokenType;
  if (type !== accessTokenType && type !== jwtType) return no('unknown-token-type');
  if (!client.tokenTypes.has(type === jwtType ? 'jwt' : 'access_token')) return no('token-type-not-registered');
  const tenant = tenantFor(request.audience, facts);
  if (!tenant.ok) return tenant;
  const scopes = scopesFor(request, facts);
  if (!scopes.ok) return scopes;
  const actors = actorsFor(client, subject);
  if (!actors.ok) return actors;
  const certificateThumbprint = bindingFor(request.binding, facts);
  if (!certificateThumbprint.ok) return certificateThumbprint;
  const lifetimeSeconds = lifetimeFor(facts, certificateThumbprint.value === undefined ? 'bearer' : 'bound');
  if (!lifetimeSeconds.ok) return lifetimeSeconds;
  const content: AccessContent = {
    subject: subject?.subject ?? client.name,
    clientId: client.name,
    audience: request.audience,
    tokenId: randomBytes(16).toString('base64url'),
    scopes: scopes.value,
    roles: subject?.roles ?? [...client.roles],
    ...(tenant.value === undefined ? {} : { tenant: tenant.value }),
    certificateThumbprint: certificateThumbprint.value,
    dpopThumbprint: undefined,
    actors: actors.value,
    ...userOf(subject),
  };
  return ok({ content, lifetimeSeconds: lifetimeSeconds.value, issuedTokenType: type, grant });
}

/** The tenant that the token is of. Registered exactly, in force, and of no other tenant than client and user (A37). */
function tenantFor(
  audience: string,
  { client, subject, registry }: GrantFacts,
): Result<string | undefined, TokenRefusal> {
  const service = client.access.has(audience) ? registry.service(audience) : undefined;
  if (service === undefined || !service.ok) return no('audience-not-registered');
  const tenants = [client.tenant, service.value.tenant, subject?.tenant].filter((each) => each !== undefined);
  if (new Set(tenants).size > 1) return no('audience-of-another-tenant');
  return ok(subject?.tenant ?? client.tenant);
}

/** Asked for and registered there; in an exchange what the subject token has as well: only ever less (S81, A28, A30). */
function scopesFor(
  { audience, scopes }: GrantRequest,
  { client, subject, registry }: GrantFacts,
): Result<readonly string[], TokenRefusal> {
  const asked = scopes.length > 256 ? undefined : parseScope(scopes.join(' '));
  if (asked === undefined || asked.length !== scopes.length) return no('bad-scope');
  const service = registry.service(audience);
  const ofService = service.ok ? service.value.scopes : new Set<string>();
  const registered = [...(client.access.get(audience) ?? [])].filter((scope) => ofService.has(scope));
  if (asked.some((scope) => !registered.includes(scope))) return no('scope-not-registered');
  const wanted = asked.length === 0 ? registered : [...new Set(asked)];
  if (subject === undefined) return ok(wanted);
  const granted = wanted.filter((scope) => subject.scopes.includes(scope));
  const isLess = granted.length < wanted.length;
  if (isLess && (asked.length > 0 || granted.length === 0)) return no('scope-not-in-subject-token');
  return ok(granted);
}

/** The client becomes the current actor; whoever acted before stays, the newest first. */
function actorsFor(
  client: RegisteredClient,
  subject: VerifiedAccessToken | undefined,
): Result<readonly Actor[], TokenRefusal> {
  if (subject === undefined) return ok([]);
  const { mayAct, actors } = subject;
  if (
    mayAct !== undefined &&
    (mayAct.subject !== client.name || (mayAct.issuer ?? subject.issuer) !== subject.issuer)
  ) {
    return no('may-not-act');
  }
  if (subject.subject === client.name || actors.some((actor) => actor.subject === client.name)) {
    return no('actor-twice');
  }
  if (actors.length >= maxActors) return no('too-many-actors');
  return ok([{ subject: client.name, issuer: undefined }, ...actors]);
}

function bindingFor(rule: BindingRule, { client, caller }: GrantFacts): Result<string | undefined, TokenRefusal> {
  const binding = rule === 'certificate' ? 'certificate' : client.binding;
  if (binding === 'dpop') return no('binding-not-supported');
  if (binding === 'none') return ok(undefined);
  return caller.svid === undefined ? no('no-certificate-to-bind-to') : ok(caller.svid.thumbprint);
}

/** Whole seconds: never past the certificate or the subject token, never above any cap (S51, A30). */
function lifetimeFor(
  { client, subject, caller, lifeMs, nowMs }: GrantFacts,
  kind: 'bound' | 'bearer',
): Result<number, TokenRefusal> {
  const nowSeconds = Math.floor(nowMs / 1000);
  const leftUntil = (ms: number): number => Math.floor(ms / 1000) - nowSeconds;
  const ofCertificate = kind === 'bound' && caller.svid ? leftUntil(caller.svid.notAfterMs) : Infinity;
  const ofSubject = subject === undefined ? Infinity : leftUntil(subject.expiresAtMs);
  if (ofCertificate < 1) return no('certificate-expires');
  if (ofSubject < 1) return no('subject-token-expires');
  const cap = Math.floor(Math.min(lifeMs, client.maxLifetimeMs, maxTokenLifeMs) / 1000);
  return ok(Math.max(1, Math.min(cap, ofCertificate, ofSubject)));
}

function userOf(subject: VerifiedAccessToken | undefined): Partial<AccessContent> {
  if (subject === undefined) return {};
  const { username, displayName, mayAct } = subject;
  return {
    ...(username === undefined ? {} : { username }),
    ...(displayName === undefined ? {} : { displayName }),
    ...(mayAct === undefined ? {} : { mayAct }),
  };
}
