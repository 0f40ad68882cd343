import type { AccessClaims } from './access-claims.ts';

/**
 * What an access token says, under our names whoever issued it, for an app that trusts who tells it: JSON in base64url, as
 * in a JWT's second part. Without what binds it to somebody, and without claims that we do not know.
 */
export function claimsText(token: AccessClaims): string {
  const { issuer, subject, clientId, audience, tokenId, scopes, roles, tenant, username, displayName } = token;
  const claims = {
    ...{ iss: issuer, sub: subject, client_id: clientId, aud: audience, jti: tokenId },
    iat: token.issuedAtMs === undefined ? undefined : token.issuedAtMs / 1000,
    exp: token.expiresAtMs / 1000,
    scope: scopes.join(' '),
    ...{ roles, tenant, preferred_username: username, name: displayName },
    act: token.actors.length === 0 ? undefined : token.actors.map(({ subject: sub, issuer: iss }) => ({ sub, iss })),
  };
  return Buffer.from(JSON.stringify(claims), 'utf8').toString('base64url');
}
