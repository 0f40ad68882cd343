import type { VerifiedAccessToken } from '#tokens/access-token.ts';
import { x5tS256 } from '#tokens/confirmation.ts';
import { plainJson } from './plain-json.ts';

/** RFC 7662, section 2.2. */
export type Introspection = { readonly active: false } | Readonly<Record<string, unknown> & { active: true }>;

/** What a token says, for a service that it is for: `act` and `cnf` as well, so that both can be judged there. */
export function introspectionOf(token: VerifiedAccessToken): Introspection {
  const { certificateThumbprint, dpopThumbprint, claims } = token;
  const cnf = {
    ...(certificateThumbprint === undefined ? {} : { 'x5t#S256': x5tS256(certificateThumbprint) }),
    ...(dpopThumbprint === undefined ? {} : { jkt: dpopThumbprint }),
  };
  const act = claims.get('act');
  const mayAct = claims.get('may_act');
  return {
    active: true,
    token_type: dpopThumbprint === undefined ? 'Bearer' : 'DPoP',
    iss: token.issuer,
    sub: token.subject,
    aud: token.audience,
    client_id: token.clientId,
    jti: token.tokenId,
    exp: token.expiresAtMs / 1000,
    ...(token.issuedAtMs === undefined ? {} : { iat: token.issuedAtMs / 1000, nbf: token.issuedAtMs / 1000 }),
    scope: token.scopes.join(' '),
    ...(token.roles.length === 0 ? {} : { roles: token.roles }),
    ...(token.tenant === undefined ? {} : { tenant: token.tenant }),
    ...(token.username === undefined ? {} : { username: token.username }),
    ...(act === undefined ? {} : { act: plainJson(act) }),
    ...(mayAct === undefined ? {} : { may_act: plainJson(mayAct) }),
    ...(Object.keys(cnf).length === 0 ? {} : { cnf }),
  };
}
