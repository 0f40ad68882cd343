import { ok, refuse, type Result } from '#runtime/result.ts';
import { readActors, readMayAct, type Actor } from './actors.ts';
import { audienceProblem, optionalText, requiredId, requiredText, type Audience } from './claims.ts';
import { readConfirmation, type Confirmation } from './confirmation.ts';
import type { ClaimProblem } from './problem.ts';
import { parseScope, parseScopeOrList } from './scopes.ts';
import { isJsonArray, type JsonObject } from './strict-json.ts';
import { maySpeakOf } from './subjects.ts';
import { checkTimes, type TimeRules, type Validity } from './times.ts';
import type { ClaimMap, MappedClaim, TrustedIssuer } from './trusted-issuer.ts';

/** What an access token says (RFC 9068, section 2.2), under our names whoever issued it. */
export interface AccessClaims extends Confirmation, Validity {
  readonly issuer: string;
  /** Unique together with `issuer`. */
  readonly subject: string;
  readonly clientId: string;
  readonly audience: Audience;
  readonly tokenId: string;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  readonly tenant: string | undefined;
  readonly authorizedParty: string | undefined;
  readonly username: string | undefined;
  readonly displayName: string | undefined;
  /** The current actor first. */
  readonly actors: readonly Actor[];
  readonly mayAct: Actor | undefined;
  /** As signed, for conditions on other claims. */
  readonly claims: JsonObject;
}

/** What of an issuer's configuration is about its claims. */
export type ClaimRules = Omit<TrustedIssuer, 'keys' | 'typ'>;

/** The rules for claims alone, of a token that is to be signed or was: mint and verifier cannot differ. */
export function readAccessClaims(
  claims: JsonObject,
  issuer: ClaimRules,
  rules: Pick<TimeRules, 'nowMs' | 'skewSeconds'> & { readonly audience: Audience },
): Result<AccessClaims, ClaimProblem> {
  const audience = audienceProblem(claims, rules.audience);
  if (audience !== undefined) return refuse(audience);
  const times = checkTimes(claims, { ...rules, maxLifetimeSeconds: issuer.maxLifetimeSeconds }, 'required');
  if (!times.ok) return times;
  const names = readNames(claims, issuer);
  if (!names.ok) return names;
  const scopes = readList(claims, issuer.claimMap, 'scope');
  if (!scopes.ok) return scopes;
  const roles = readList(claims, issuer.claimMap, 'roles');
  if (!roles.ok) return roles;
  const confirmation = readConfirmation(claims);
  if (!confirmation.ok) return confirmation;
  const actors = readActors(claims, issuer.subjects);
  if (!actors.ok) return actors;
  const mayAct = readMayAct(claims);
  if (!mayAct.ok) return mayAct;
  return ok({
    issuer: issuer.issuer,
    audience: rules.audience,
    ...names.value,
    ...times.value,
    ...confirmation.value,
    scopes: scopes.value,
    roles: roles.value,
    actors: actors.value,
    mayAct: mayAct.value,
    claims,
  });
}

type Names = Pick<
  AccessClaims,
  'subject' | 'clientId' | 'tokenId' | 'tenant' | 'authorizedParty' | 'username' | 'displayName'
>;

function readNames(
  claims: JsonObject,
  issuer: Pick<TrustedIssuer, 'claimMap' | 'subjects'>,
): Result<Names, ClaimProblem> {
  const map = issuer.claimMap;
  const twice = doubleName(claims, map);
  if (twice !== undefined) return refuse(`bad-${twice}` as const);
  const subject = requiredText(claims, 'sub');
  if (!subject.ok) return subject;
  const clientId = requiredText(claims, 'client_id', map.client_id);
  if (!clientId.ok) return clientId;
  const tokenId = requiredId(claims, map.jti);
  if (!tokenId.ok) return tokenId;
  const tenant = optionalText(claims, 'tenant', map.tenant);
  if (!tenant.ok) return tenant;
  const authorizedParty = optionalText(claims, 'azp');
  if (!authorizedParty.ok) return authorizedParty;
  const username = optionalText(claims, 'preferred_username', map.preferred_username);
  if (!username.ok) return username;
  const displayName = optionalText(claims, 'name', map.name);
  if (!displayName.ok) return displayName;
  if (!maySpeakOf(subject.value, issuer.subjects)) return refuse('wrong-subject');
  for (const name of [clientId.value, authorizedParty.value]) {
    if (name === undefined || name === subject.value) continue; // most tokens name one workload twice
    if (!maySpeakOf(name, issuer.subjects)) return refuse('wrong-subject');
  }
  return ok({
    subject: subject.value,
    clientId: clientId.value,
    tokenId: tokenId.value,
    tenant: tenant.value,
    authorizedParty: authorizedParty.value,
    username: username.value,
    displayName: displayName.value,
  });
}

/** A claim that is there under the issuer's name and under ours as well says two things. */
function doubleName(claims: JsonObject, map: ClaimMap): MappedClaim | undefined {
  for (const name in map) {
    const ours = name as MappedClaim;
    const theirs = map[ours];
    if (theirs !== undefined && theirs !== ours && claims.has(ours) && claims.has(theirs)) return ours;
  }
  return undefined;
}

/** `scope` is a text with blanks (RFC 8693, section 4.2), `roles` a list (RFC 9068, section 2.2.3.1); mapped ones are either. */
function readList(claims: JsonObject, map: ClaimMap, name: 'scope' | 'roles'): Result<readonly string[], ClaimProblem> {
  const from = map[name];
  const value = claims.get(from ?? name);
  if (value === undefined) return ok(none);
  if (from !== undefined) {
    const list = parseScopeOrList(value);
    return list ? ok(list) : refuse(`bad-${name}` as const);
  }
  if (name === 'scope') {
    const scopes = typeof value === 'string' ? parseScope(value) : undefined;
    return scopes ? ok(scopes) : refuse('bad-scope');
  }
  const isList = isJsonArray(value) && value.every((each) => typeof each === 'string' && each !== '');
  return isList ? ok(value as readonly string[]) : refuse('bad-roles');
}

const none: readonly string[] = Object.freeze([]);
