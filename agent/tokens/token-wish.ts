import type { Audience } from '#tokens/claims.ts';

/** A token as a route wants it. */
export interface TokenWish {
  /** Equal where all else is equal. */
  readonly key: string;
  /** The name of a token endpoint in `outbound.tokenEndpoints`; undefined: the control plane. */
  readonly issuer: string | undefined;
  readonly audience: Audience;
  /** In order, each once; empty: all that the issuer gives for this audience. */
  readonly scopes: readonly string[];
}

export function tokenWish(
  audience: Audience,
  { issuer, scopes }: { readonly issuer: string | undefined; readonly scopes: readonly string[] },
): TokenWish {
  const sorted = [...new Set(scopes)].toSorted();
  return { key: [issuer ?? '', audience, ...sorted].join(' '), issuer, audience, scopes: sorted }; // none holds a blank
}
