import { z } from 'zod';
import { parseSpiffeId } from '#certs/spiffe-id.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { DenyEntry, DenyList, MeshPolicy, MtlsMode, PeerAuthentication, ScopeTemplates } from './model.ts';
import { parseScopePath } from './path-patterns.ts';
import { parseMethod } from './patterns.ts';
import { instantMs } from './rfc3339.ts';
import {
  membersOf,
  meshMetadata,
  metadata,
  placedMetadata,
  resourceName,
  selector,
  textRead,
} from './schema-fields.ts';

const mtls = z
  .strictObject(
    {
      mode: z
        .enum(['STRICT', 'PERMISSIVE', 'UNSET'], {
          error: ({ input }) =>
            input === 'DISABLE'
              ? 'DISABLE is not supported, mTLS is never turned off: write STRICT or PERMISSIVE'
              : 'write STRICT, PERMISSIVE or UNSET',
        })
        .default('UNSET'),
    },
    'write mtls: { mode: STRICT }',
  )
  .transform(({ mode }): MtlsMode | undefined => (mode === 'UNSET' ? undefined : mode));

const portLevelMtls = z.unknown().transform((value, context): ReadonlyMap<number, MtlsMode> => {
  const found = new Map<number, MtlsMode>();
  const say = (path: string[], message: string): void =>
    void context.issues.push({ code: 'custom', input: value, path, message });
  const members = membersOf(value);
  if (members === undefined) say([], 'write ports, e.g. { 8080: { mode: PERMISSIVE } }');
  for (const [name, member] of members ?? []) {
    const read = mtls.safeParse(member);
    if (!/^[1-9]\d{0,4}$/.test(name) || Number(name) > 65_535) say([name], 'is no port: write one of 1 to 65535');
    for (const { code, path, message } of read.error?.issues ?? []) {
      say(
        [name, ...path.map(String)],
        code === 'unrecognized_keys' ? 'has other fields than mode: leave them out' : message,
      );
    }
    if (read.data !== undefined) found.set(Number(name), read.data);
  }
  return found;
});

const noPorts: ReadonlyMap<number, MtlsMode> = new Map();

export const peerAuthentication = z
  .strictObject({
    apiVersion: z.string(),
    kind: z.literal('PeerAuthentication'),
    metadata,
    spec: z
      .strictObject(
        { selector, mtls: mtls.exactOptional(), portLevelMtls: portLevelMtls.exactOptional() },
        'write spec: { mtls: { mode: STRICT } }',
      )
      .refine((spec) => spec.portLevelMtls === undefined || Object.keys(spec.selector).length > 0, {
        path: ['portLevelMtls'],
        message: 'holds for one workload: write a selector',
      }),
  })
  .transform(({ kind, metadata: { namespace, name }, spec }): PeerAuthentication => {
    return { kind, namespace, name, selector: spec.selector, mode: spec.mtls, ports: spec.portLevelMtls ?? noPorts };
  });

const denyTargets = ['spiffeId', 'serial', 'keyThumbprint', 'jti', 'kid', 'client', 'user'] as const;
const tokenName = textRead('write a name in quotes', readName).exactOptional();

const denyEntry = z
  .strictObject(
    {
      spiffeId: textRead('write a SPIFFE ID', readSpiffeId).exactOptional(),
      serial: textRead('write a serial in quotes', readSerial).exactOptional(),
      keyThumbprint: textRead('write a thumbprint in quotes', readThumbprint).exactOptional(),
      ...{ jti: tokenName, kid: tokenName, client: tokenName, user: tokenName, issuer: tokenName },
      reason: z
        .string('write why, for those who find it later')
        .trim()
        .min(1, 'is empty: write why')
        .max(1_024, 'is too long: 1024 characters are enough'),
      expiresAt: textRead('write a time, e.g. "2026-01-31T12:00:00Z"', readInstant).exactOptional(),
    },
    'write an entry, e.g. { spiffeId: spiffe://prod.example/ns/shop/sa/cart, reason: … }',
  )
  .transform((entry, context): DenyEntry => {
    const { spiffeId, serial, keyThumbprint, jti, kid, client, user, issuer, reason, expiresAt: expiresAtMs } = entry;
    const common = { reason, expiresAtMs };
    const ofToken = { ...common, issuer };
    const isOfToken = [jti, kid, client, user].some((name) => name !== undefined);
    if (issuer !== undefined && !isOfToken) {
      const message = 'is about tokens: write it beside jti, kid, client or user';
      context.issues.push({ code: 'custom', input: entry, path: ['issuer'], message });
    }
    if (denyTargets.filter((name) => entry[name] !== undefined).length === 1) {
      if (jti !== undefined) return { jti, ...ofToken };
      if (kid !== undefined) return { kid, ...ofToken };
      if (client !== undefined) return { client, ...ofToken };
      if (user !== undefined) return { user, ...ofToken };
      if (spiffeId !== undefined) return { spiffeId, ...common };
      if (serial !== undefined) return { serial, ...common };
      if (keyThumbprint !== undefined) return { keyThumbprint, ...common };
    }
    context.issues.push({
      code: 'custom',
      input: entry,
      message: `write exactly one of ${denyTargets.join(', ')}`,
    });
    return z.NEVER;
  });

export const denyList = z
  .strictObject({
    apiVersion: z.string(),
    kind: z.literal('DenyList'),
    metadata: placedMetadata,
    spec: z.strictObject({ entries: z.array(denyEntry, 'write a list of entries') }, 'write spec: { entries: […] }'),
  })
  .transform(({ kind, metadata: { namespace, name }, spec }): DenyList => ({
    kind,
    namespace,
    name,
    entries: spec.entries,
  }));

export const meshPolicy = z
  .strictObject({
    apiVersion: z.string(),
    kind: z.literal('MeshPolicy'),
    metadata: meshMetadata,
    spec: z.strictObject(
      {
        defaultAction: z.enum(['deny', 'allow'], 'write deny or allow').default('deny'),
        rootNamespace: resourceName.default('istio-system'),
      },
      'write spec: { defaultAction: deny }',
    ),
  })
  .refine(({ metadata: { namespace }, spec }) => namespace === undefined || namespace === spec.rootNamespace, {
    path: ['metadata', 'namespace'],
    message: 'is not the root namespace: leave it out, or write it as spec.rootNamespace too',
  })
  .transform(({ kind, metadata: { name }, spec }): MeshPolicy => ({
    kind,
    namespace: spec.rootNamespace,
    name,
    ...spec,
  }));

const scopeTemplate = z.strictObject(
  {
    scope: z
      .string('write a scope')
      .regex(
        /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/,
        'is no scope: write e.g. groups.documents.delete (RFC 6749, section 3.3)',
      ),
    method: textRead('write a method, e.g. DELETE', readExactMethod),
    path: textRead('write a path, e.g. /groups/{group}/documents/{document}', parseScopePath),
  },
  'write { scope: …, method: …, path: … }',
);

export const scopeTemplates = z
  .strictObject({
    apiVersion: z.string(),
    kind: z.literal('ScopeTemplates'),
    metadata,
    spec: z.strictObject({ scopes: z.array(scopeTemplate, 'write a list of scopes') }, 'write spec: { scopes: […] }'),
  })
  .transform(({ kind, metadata: { namespace, name }, spec }): ScopeTemplates => ({
    kind,
    namespace,
    name,
    scopes: spec.scopes,
  }));

function readExactMethod(text: string): Result<string, string> {
  const method = parseMethod(text);
  if (!method.ok) return method;
  return method.value.kind === 'exact' ? ok(text) : refuse('is a pattern: write one method, e.g. DELETE');
}

function readSpiffeId(text: string) {
  const id = parseSpiffeId(text);
  return id.ok ? id : refuse('is no SPIFFE ID: write e.g. spiffe://prod.example/ns/shop/sa/cart');
}

function readSerial(text: string): Result<string, string> {
  const plain = text.replaceAll(':', '').toLowerCase();
  if (!/^[0-9a-f]{1,40}$/.test(plain))
    return refuse('is no serial: write its lower-case hexadecimal digits, at most 40');
  return plain === text ? ok(text) : refuse(`is not how serials are compared: write ${plain}`);
}

function readThumbprint(text: string): Result<string, string> {
  if (/^[0-9a-f]{64}$/.test(text)) return ok(text);
  return refuse('is no thumbprint: write the SHA-256 of the public key (SPKI) in 64 lower-case hexadecimal digits');
}

/** As tokens have it: whoever writes it in another normal form would deny nobody (A71). */
function readName(text: string): Result<string, string> {
  if (text === '' || text.length > 2_048) return refuse('is no name: write it as it stands in the token');
  return text.normalize('NFC') === text ? ok(text) : refuse('is not in NFC, in which names are compared: write it so');
}

function readInstant(text: string): Result<number, string> {
  const ms = instantMs(text);
  return ms === undefined ? refuse('is no time: write it by RFC 3339, e.g. 2026-01-31T12:00:00Z') : ok(ms);
}
