import type { Readiness } from '#agent/admin/readiness.ts';
import type { AgentConfig, UpstreamTokenConfig } from '#agent/config-types.ts';
import type { Attachment } from '#agent/http/attachment.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { Clock } from '#runtime/clock.ts';
import { parseAudience } from '#tokens/claims.ts';
import { RouteToken } from './route-token.ts';
import type { TokenCache } from './token-cache.ts';
import { tokenEndpointExchange } from './token-endpoint.ts';
import { TokenSource, type Exchange, type TokenSourceParts } from './token-source.ts';
import { tokenWish, type TokenWish } from './token-wish.ts';

/** The tokens of an agent whose routes attach some; undefined: none does. */
export function openTokens(
  config: AgentConfig,
  parts: Omit<TokenSourceParts, 'exchangeAt'> & { readonly controlPlane: () => Exchange | undefined },
): TokenSource | undefined {
  const { upstreams = [], tokenEndpoints = [] } = config.outbound ?? {};
  if (!upstreams.some(({ token }) => token !== undefined)) return undefined;
  const endpoints = new Map(tokenEndpoints.map((endpoint) => [endpoint.name, tokenEndpointExchange(endpoint)]));
  return new TokenSource({
    ...parts,
    exchangeAt(issuer) {
      const exchange = issuer === undefined ? parts.controlPlane() : endpoints.get(issuer);
      if (exchange === undefined) throw new Error('an issuer that the configuration check let through is not there');
      return exchange;
    },
  });
}

/** Attaches tokens from `tokens` to what goes to upstreams. */
export function attachFrom(
  tokens: TokenCache,
  clock: Clock,
): (token: UpstreamTokenConfig, peer: SpiffeId) => Attachment {
  return ({ audience, issuer, scopes, header }, peer) => {
    const wish = tokenWish(audience ?? audienceOf(peer), { issuer, scopes });
    return new RouteToken({ tokens, clock }, { wish, header });
  };
}

/** How long the start waits for first tokens. */
const firstTokensMs = 5_000;

/**
 * Gets the tokens whose audience the configuration says, so that the first requests do not wait; readiness names those that
 * are missing meanwhile. What cannot be had does not keep the agent from its other work.
 */
export async function getFirstTokens(
  { outbound }: AgentConfig,
  thumbprint: string,
  { tokens, readiness }: { readonly tokens: TokenCache; readonly readiness: Readiness },
): Promise<void> {
  const wishes: TokenWish[] = [];
  for (const { token, spiffeId } of outbound?.upstreams ?? []) {
    const audience = token?.audience ?? (spiffeId && audienceOf(spiffeId));
    if (token !== undefined && audience !== undefined) wishes.push(tokenWish(audience, token));
  }
  if (wishes.length === 0) return;
  readiness.block('tokens-missing', `no token yet for ${wishes.map(({ audience }) => audience).join(', ')}`);
  await Promise.all(wishes.map((wish) => tokens.obtain(thumbprint, wish, firstTokensMs)));
  readiness.clear('tokens-missing');
}

function audienceOf(spiffeId: string) {
  const audience = parseAudience(spiffeId);
  if (!audience.ok) throw new Error('a SPIFFE ID is an audience');
  return audience.value;
}
