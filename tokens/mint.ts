import { ok, refuse, type Result } from '#runtime/result.ts';
import { readAccessClaims, type AccessClaims, type ClaimRules } from './access-claims.ts';
import type { Actor } from './actors.ts';
import { parseAudience, type Audience } from './claims.ts';
import { maxTokenLength } from './compact-jws.ts';
import { x5tS256, type Confirmation } from './confirmation.ts';
import { readJwtSvidClaims } from './jwt-svid.ts';
import type { ClaimProblem } from './problem.ts';
import { signCompactJws } from './sign.ts';
import type { PublicJwk, SigningKey } from './signing-key.ts';
import { readJsonObject, type JsonObject } from './strict-json.ts';
import type { WorkloadDomain } from './subjects.ts';
import { readTxnClaims, type TxnTokenRules } from './txn-token.ts';
import { readWitClaims } from './wit.ts';

export type MintProblem = ClaimProblem | 'malformed' | 'too-large' | 'bad-audience';

/** When and by whom a token is signed. */
export interface Signing {
  readonly key: SigningKey;
  readonly nowMs: number;
  readonly lifetimeSeconds: number;
  /** The cap, which the verifier has as well (S51). */
  readonly maxLifetimeSeconds: number;
}

/** What an access token of ours says. */
export type AccessContent = Pick<
  AccessClaims,
  'subject' | 'clientId' | 'tokenId' | 'scopes' | 'certificateThumbprint' | 'dpopThumbprint'
> &
  Partial<
    Pick<AccessClaims, 'roles' | 'tenant' | 'authorizedParty' | 'username' | 'displayName' | 'actors' | 'mayAct'>
  > & {
    readonly audience: string;
  };

/**
 * Signs an access token (RFC 9068). Its claims pass the verifier's own rules first, so nothing leaves that our verifiers would
 * refuse: no token for everybody, none above the cap, none about foreign subjects.
 */
export async function mintAccessToken(
  content: AccessContent,
  issuer: Pick<ClaimRules, 'issuer' | 'subjects'>,
  signing: Signing,
): Promise<Result<string, MintProblem>> {
  const audience = parseAudience(content.audience);
  if (!audience.ok) return audience;
  const claims = { iss: issuer.issuer, ...accessMembers(content), ...timesOf(signing) };
  const rules = { ...issuer, claimMap: {}, maxLifetimeSeconds: signing.maxLifetimeSeconds };
  const times = { nowMs: signing.nowMs, skewSeconds: 0, audience: audience.value };
  return sign('at+jwt', claims, signing.key, (written) => readAccessClaims(written, rules, times));
}

export interface TxnContent {
  readonly transactionId: string;
  readonly subject: string;
  readonly scopes: readonly string[];
  readonly requestingWorkload: string;
  readonly transactionContext?: object;
  readonly requesterContext?: object;
}

/** Signs a transaction token for a trust domain. */
export function mintTxnToken(
  content: TxnContent,
  domain: Pick<TxnTokenRules, 'trustDomain' | 'subjects'>,
  signing: Signing,
): Promise<Result<string, MintProblem>> {
  const claims = {
    aud: domain.trustDomain,
    txn: content.transactionId,
    sub: content.subject,
    scope: content.scopes.join(' '),
    req_wl: content.requestingWorkload,
    tctx: content.transactionContext,
    rctx: content.requesterContext,
    ...timesOf(signing),
  };
  const rules = { ...domain, ...readingTimes(signing) };
  return sign('txntoken+jwt', claims, signing.key, (written) => readTxnClaims(written, rules));
}

/** Signs a JWT-SVID for one audience. */
export function mintJwtSvid(
  content: { readonly spiffeId: string; readonly audience: Audience },
  trustDomain: string,
  signing: Signing,
): Promise<Result<string, MintProblem>> {
  const { nbf: _, ...times } = timesOf(signing);
  const claims = { sub: content.spiffeId, aud: content.audience, ...times };
  const rules = { trustDomain, audience: content.audience, ...readingTimes(signing) };
  return sign('JWT', claims, signing.key, (written) => readJwtSvidClaims(written, rules));
}

/** Signs a Workload Identity Token over a workload's own key. */
export function mintWit(
  content: { readonly subject: string; readonly tokenId: string; readonly publicJwk: PublicJwk },
  domain: WorkloadDomain,
  signing: Signing,
): Promise<Result<string, MintProblem>> {
  const { kty, crv, x, y, alg } = content.publicJwk;
  const { nbf: _, ...times } = timesOf(signing);
  const claims = { sub: content.subject, jti: content.tokenId, cnf: { jwk: { kty, crv, x, y, alg } }, ...times };
  const rules = { domain, ...readingTimes(signing) };
  return sign('wit+jwt', claims, signing.key, (written) => readWitClaims(written, rules));
}

function accessMembers(content: AccessContent): object {
  return {
    sub: content.subject,
    aud: content.audience,
    client_id: content.clientId,
    jti: content.tokenId,
    scope: content.scopes.length === 0 ? undefined : content.scopes.join(' '),
    roles: content.roles?.length ? content.roles : undefined,
    tenant: content.tenant,
    azp: content.authorizedParty,
    preferred_username: content.username,
    name: content.displayName,
    act: actOf(content.actors ?? []),
    may_act: content.mayAct && actorMembers(content.mayAct),
    cnf: cnfOf(content),
  };
}

/** The current actor outermost (RFC 8693, section 4.1). */
function actOf(actors: readonly Actor[]): object | undefined {
  return actors.reduceRight<object | undefined>((act, actor) => ({ ...actorMembers(actor), act }), undefined);
}

function actorMembers({ subject, issuer }: Actor): object {
  return { sub: subject, iss: issuer };
}

function cnfOf({ certificateThumbprint, dpopThumbprint }: Confirmation): object | undefined {
  if (certificateThumbprint === undefined && dpopThumbprint === undefined) return undefined;
  return {
    'x5t#S256': certificateThumbprint === undefined ? undefined : x5tS256(certificateThumbprint),
    jkt: dpopThumbprint,
  };
}

function timesOf({ nowMs, lifetimeSeconds }: Signing): { iat: number; nbf: number; exp: number } {
  const iat = Math.floor(nowMs / 1000);
  return { iat, nbf: iat, exp: iat + lifetimeSeconds };
}

function readingTimes({ nowMs, maxLifetimeSeconds }: Signing) {
  return { nowMs, skewSeconds: 0, maxLifetimeSeconds };
}

/** Signs the very bytes that were checked. */
async function sign(
  typ: string,
  claims: object,
  key: SigningKey,
  check: (written: JsonObject) => Result<unknown, ClaimProblem>,
): Promise<Result<string, MintProblem>> {
  const payload = Buffer.from(JSON.stringify(claims));
  const written = readJsonObject(payload);
  if (!written) return refuse('malformed');
  const checked = check(written);
  if (!checked.ok) return checked;
  const token = await signCompactJws({ typ, kid: key.kid }, payload, key.privateKey);
  return token.length <= maxTokenLength ? ok(token) : refuse('too-large');
}
