import { z } from 'zod';
import { isReservedName } from './http/reserved.ts';
import { isHopByHop } from './http/write.ts';
import { parseAudience, type Audience } from '#tokens/claims.ts';
import { parseScope } from '#tokens/scopes.ts';
import type { TokenEndpointConfig, UpstreamTokenConfig } from './config-types.ts';
import { path } from './config-values.ts';

const audience = z.string().transform((text, context): Audience => {
  const parsed = parseAudience(text);
  if (parsed.ok) return parsed.value;
  context.issues.push({
    code: 'custom',
    input: text,
    message: 'write one audience without blanks and "*", e.g. spiffe://shop.example/ns/default/sa/prices',
  });
  return z.NEVER;
});

const scope = z
  .string()
  .refine(
    (text) => parseScope(text)?.length === 1,
    'write one scope, e.g. prices.read; no blanks, quotes or backslashes',
  );

const endpointName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'write a name: a-z, 0-9 and "-", at most 63');

/** Names of fields that say what a message is, and whom from and whom for: a token under them would change that. */
const taken = new Set(['host', 'cookie', 'content-type', 'content-encoding', 'expect', 'date', 'via', 'trailer']);

const header = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/,
    'write a field name in lower case: a-z, 0-9 and "-", e.g. authorization',
  )
  .refine((name) => !isHopByHop(name) && !isReservedName(name) && !taken.has(name), 'this field has another meaning');

/** The token that is attached to what goes to an upstream. */
export const upstreamToken = z.strictObject({
  mode: z.enum(['none', 'attach'], 'write none or attach'),
  audience: audience.optional(),
  scopes: z.array(scope).max(64).default([]),
  issuer: endpointName.optional(),
  header: header.default('authorization'),
});

/** Issuers beside the control plane. */
export const tokenEndpoints = z
  .array(
    z.strictObject({
      name: endpointName,
      url: z
        .url({ protocol: /^https$/, error: 'write an https address, e.g. https://sts.example/token' })
        .refine((text) => !/[#@]/.test(text), 'write it without user and fragment'),
      ca: path.optional(),
    }),
  )
  .max(16);

export function upstreamTokenSettings(
  read: z.output<typeof upstreamToken> | undefined,
): UpstreamTokenConfig | undefined {
  if (read === undefined || read.mode === 'none') return undefined;
  const { audience: wanted, scopes, issuer, header: name } = read;
  return { audience: wanted, scopes, issuer, header: name };
}

export function tokenEndpointSettings(read: z.output<typeof tokenEndpoints>): readonly TokenEndpointConfig[] {
  return read.map(({ name, url, ca }) => ({ name, url, caPath: ca }));
}
