import { z } from 'zod';
import { parseSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import { textRead } from '#policy/schema-fields.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import {
  bindings,
  defaultTokenLifeMs,
  grants,
  maxTokenLifeMs,
  tokenTypes,
  type Authentication,
  type Client,
  type Grant,
  type Service,
} from './model.ts';
import { readAudience, readClientId, readPlainName, readScope } from './names.ts';
import { approval, metadataOf, setRead, wordsOf } from './schema-fields.ts';
import { assertionKeys } from './schema-keys.ts';

/** So that a token request cannot ask for more than one can look at (A70). */
const maxAudiences = 1_000;
const maxScopesAtAudience = 200;
const maxScopesOfService = 1_000;
const maxRoles = 100;
const maxIdentities = 100;

const none: ReadonlySet<never> = new Set();

const access = z.strictObject(
  {
    audience: textRead('write an audience', readAudience),
    scopes: setRead('payments.read', maxScopesAtAudience, readScope).default(none),
  },
  'write { audience: payments, scopes: [payments.read] }',
);

const clientSpec = z.strictObject(
  {
    authentication: z.enum(
      ['svid', 'private-key-jwt', 'client-secret', 'public'],
      'write svid, private-key-jwt, client-secret or public',
    ),
    jwks: assertionKeys.exactOptional(),
    grants: wordsOf(grants).default(none),
    tokenTypes: wordsOf(tokenTypes).default(new Set(['access_token'] as const)),
    access: z
      .array(access, 'write a list of { audience: …, scopes: […] }')
      .max(maxAudiences, `has too many audiences: ${maxAudiences} are the most`)
      .default([]),
    roles: setRead('premium', maxRoles, readPlainName).default(none),
    maxLifetime: textRead('write a time, e.g. 5m', readLifetime).default(defaultTokenLifeMs),
    binding: z.enum(bindings, 'write certificate, dpop, or none for bearer tokens').default('certificate'),
    assertsUsersAt: setRead('payments', maxAudiences, readAudience).default(none),
    sourceIdentities: setRead('spiffe://prod.example/ns/shop/sa/cart', maxIdentities, readIdentity).default(none),
    approval,
  },
  'write spec: { authentication: svid, … }',
);
type ClientSpec = z.output<typeof clientSpec>;
type Say = (path: readonly (string | number)[], message: string) => void;

export const clientDocument = z
  .strictObject({
    apiVersion: z.string(),
    kind: z.literal('Client'),
    metadata: metadataOf('write the client_id', readClientId),
    spec: clientSpec,
  })
  .transform(({ kind, metadata, spec }, context): Client => {
    const say: Say = (path, message) =>
      void context.issues.push({ code: 'custom', input: spec, path: ['spec', ...path], message });
    checkAuthentication(metadata.name, spec, say);
    checkAccess(spec, say);
    const { authentication: how, jwks = [], access: rows, maxLifetime: maxLifetimeMs, ...rest } = spec;
    const authentication: Authentication = how === 'private-key-jwt' ? { kind: how, keys: jwks } : { kind: how };
    return {
      kind,
      ...commonOf(metadata),
      authentication,
      access: new Map(rows.map(({ audience, scopes }) => [audience, scopes])),
      maxLifetimeMs,
      ...rest,
    };
  });

export const serviceDocument = z
  .strictObject({
    apiVersion: z.string(),
    kind: z.literal('Service'),
    metadata: metadataOf('write the audience', readAudience),
    spec: z
      .strictObject(
        {
          scopes: setRead('payments.read', maxScopesOfService, readScope).default(none),
          owners: setRead('spiffe://prod.example/ns/shop/sa/payments', maxIdentities, readClientId).exactOptional(),
          approval,
        },
        'write spec: { scopes: [payments.read] }',
      )
      .prefault({}),
  })
  .transform(({ kind, metadata, spec }): Service => {
    const { name } = metadata;
    const owners = spec.owners ?? new Set(name.startsWith('spiffe://') ? [name] : []);
    return { kind, ...commonOf(metadata), ...spec, owners };
  });

type Metadata = z.output<ReturnType<typeof metadataOf>>;

function commonOf({ name, tenant, description, labels }: Metadata) {
  return { name, tenant, description, labels };
}

/** RFC 8705, section 2.1.2: who comes with a certificate is called as its SAN says, and nobody else is. */
function checkAuthentication(name: string, spec: ClientSpec, say: Say): void {
  const { authentication, jwks, sourceIdentities } = spec;
  const isSpiffe = name.startsWith('spiffe://');
  if (isSpiffe !== (authentication === 'svid')) {
    const fix = isSpiffe
      ? 'a client whose name is a SPIFFE ID proves it by its SVID: write svid'
      : 'svid is for a client whose name is its SPIFFE ID: write that in metadata.name';
    say(['authentication'], fix);
  }
  if (authentication === 'private-key-jwt' && jwks === undefined) {
    say([], 'needs jwks with the public keys of the client');
  }
  if (authentication !== 'private-key-jwt' && jwks !== undefined) {
    say(['jwks'], 'is for authentication: private-key-jwt; leave it out');
  }
  if (authentication === 'svid' && sourceIdentities.size > 0) {
    say(['sourceIdentities'], 'the SVID is the source already: leave it out');
  }
  if (authentication === 'public') checkPublic(spec, say);
}

/** S34: nothing is proved but the user's token. */
function checkPublic({ grants: given, binding, assertsUsersAt }: ClientSpec, say: Say): void {
  const foreign: readonly Grant[] = [...given].filter((grant) => grant !== 'token_exchange');
  if (foreign.length > 0) say(['grants'], "a public client has its user's token only: write [token_exchange]");
  if (binding === 'certificate')
    say(['binding'], 'a public client has no certificate: write dpop, or none for bearer tokens');
  if (assertsUsersAt.size > 0) say(['assertsUsersAt'], 'a public client cannot vouch for users: leave it out');
}

function checkAccess({ access: rows, grants: given, assertsUsersAt }: ClientSpec, say: Say): void {
  const audiences = rows.map(({ audience }) => audience);
  for (const [index, audience] of audiences.entries()) {
    if (audiences.indexOf(audience) !== index)
      say(['access', index, 'audience'], 'is there twice: write its scopes once');
  }
  if (given.size > 0 && rows.length === 0) say(['grants'], 'there is nothing to grant: write access');
  if (given.size === 0 && rows.length > 0) say(['access'], 'nobody can use it without a grant: write grants');
  for (const [index, audience] of [...assertsUsersAt].entries()) {
    if (!audiences.includes(audience)) say(['assertsUsersAt', index], 'is no audience of access: write it there too');
  }
}

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000 } as const;

function readLifetime(text: string): Result<number, string> {
  const [, amount, unit] = /^([1-9]\d{0,5})([smh])$/.exec(text) ?? [];
  if (amount === undefined) return refuse('is no lifetime: write seconds or minutes, e.g. 90s or 5m');
  const ms = Number(amount) * unitMs[unit as keyof typeof unitMs];
  return ms <= maxTokenLifeMs ? ok(ms) : refuse('is too long: a token lives 15m at most, and can be asked for again');
}

function readIdentity(text: string): Result<SpiffeId, string> {
  const id = parseSpiffeId(text);
  return id.ok ? id : refuse('is no SPIFFE ID: write e.g. spiffe://prod.example/ns/shop/sa/cart');
}
