import { z } from 'zod';
import { issuerAlgorithms } from '#tokens/algorithms.ts';
import { parseAudience, type Audience } from '#tokens/claims.ts';
import type { ClaimMap } from '#tokens/trusted-issuer.ts';
import type { PortTokenConfig, TokenIssuerConfig } from './config-types.ts';
import { durationMs, path, trustDomain } from './config-values.ts';

const audience = z.string().transform((text, context): Audience => {
  const parsed = parseAudience(text);
  if (parsed.ok) return parsed.value;
  const message = 'write one name, without blanks and "*", e.g. spiffe://shop.example/ns/default/sa/prices';
  context.issues.push({ code: 'custom', input: text, message });
  return z.NEVER;
});

/** Of an inbound port. */
export const portToken = z.strictObject({
  mode: z.enum(['none', 'require', 'audit-only'], 'write none, require or audit-only').default('require'),
  audience: audience.optional(),
  header: z
    .enum(
      ['authorization', 'x-access-token'],
      'write authorization or x-access-token, which are never indexed or logged',
    )
    .default('authorization'),
  forward: z.enum(['none', 'token', 'claims'], 'write none, token or claims').default('none'),
  unbound: z.enum(['refuse', 'accept'], 'write refuse or accept').default('refuse'),
});

/** Undefined: no token is asked for. */
export function portTokenSettings(read: z.output<typeof portToken> | undefined): PortTokenConfig | undefined {
  if (read === undefined || read.mode === 'none') return undefined;
  const { mode, audience: of, header, forward, unbound } = read;
  return { mode, audience: of, header, forward, unbound };
}

const issuerHint = 'write the issuer as it stands in `iss`, e.g. https://login.example/';
const issuerName = z.string(issuerHint).min(1, issuerHint).max(2_048, issuerHint);

const keysUrl = z.string().refine(isPlainHttps, 'write an https address without user, password and fragment');

const jwks = z.union(
  [
    z.strictObject({ pushed: z.literal(true) }).transform(() => ({ kind: 'pushed' }) as const),
    z.strictObject({ file: path }).transform(({ file }) => ({ kind: 'file', path: file }) as const),
    z
      .strictObject({
        url: keysUrl,
        ca: path.optional(),
        refresh: durationMs.default(300_000),
        keepFor: durationMs.default(3_600_000),
      })
      .transform(({ url, ca, refresh, keepFor }) => {
        return { kind: 'url', url, caPath: ca, refreshMs: refresh, keepMs: keepFor } as const;
      }),
  ],
  'write { pushed: true }, { file: /path } or { url: https://…, ca: /path }; refresh and keepFor are durations',
);

const claimHint = 'write the name of a claim';
const claimName = z.string(claimHint).min(1, claimHint).max(256, claimHint).optional();
const mapped = ['client_id', 'jti', 'name', 'preferred_username', 'roles', 'scope', 'tenant'] as const;
const claims = z.strictObject(
  Object.fromEntries(mapped.map((name) => [name, claimName])) as Record<(typeof mapped)[number], typeof claimName>,
);

const maxLifetimeMs = 24 * 3_600_000;

/** Whose access tokens are believed. */
export const tokenIssuer = z.strictObject({
  name: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'write a short name: a-z, 0-9 and "-"'),
  issuer: issuerName,
  jwks: jwks.default({ kind: 'pushed' }),
  algorithms: z
    .array(z.enum(issuerAlgorithms as readonly [string, ...string[]], `write some of ${issuerAlgorithms.join(', ')}`))
    .min(1, 'name at least one algorithm')
    .default(['ES256']),
  typ: z.enum(['at+jwt', 'JWT'], 'write at+jwt, or JWT for an issuer that does not know RFC 9068').default('at+jwt'),
  claims: claims.default({}),
  subjects: z
    .strictObject({
      trustDomains: z.array(trustDomain).max(100).optional(),
      ownNames: z.enum(['accept', 'refuse'], 'write accept or refuse').default('refuse'),
    })
    .prefault({}),
  maxLifetime: durationMs
    .refine((ms) => ms <= maxLifetimeMs, 'is too long: nobody can take back a token that lives for more than 24h')
    .default(300_000),
});

export function tokenIssuerSettings(read: z.output<typeof tokenIssuer>, ownTrustDomain: string): TokenIssuerConfig {
  const { name, issuer, jwks: keys, typ, subjects, maxLifetime } = read;
  return {
    ...{ name, issuer, keys, typ },
    algorithms: issuerAlgorithms.filter((each) => read.algorithms.includes(each)),
    claimMap: read.claims as ClaimMap, // what is left out is not in it
    subjects: { trustDomains: subjects.trustDomains ?? [ownTrustDomain], ownNames: subjects.ownNames },
    maxLifetimeSeconds: Math.floor(maxLifetime / 1_000),
  };
}

function isPlainHttps(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, hash } = new URL(text);
  return protocol === 'https:' && username === '' && password === '' && hash === '';
}
