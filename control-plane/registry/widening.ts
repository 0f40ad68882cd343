import { isDeepStrictEqual } from 'node:util';
import type { Authentication, Client, RegistryDocument, Service } from './model.ts';

/**
 * What `after` allows that `before` did not, in words such as `grants: token_exchange`; none: it only narrows, or tells
 * people something else. Both have one kind, name and tenant.
 */
export function wideningOf(before: RegistryDocument, after: RegistryDocument): readonly string[] {
  const approval = before.approval === 'admin' && after.approval === 'none' ? ['approval: none'] : [];
  if (before.kind === 'Client' && after.kind === 'Client') return [...clientWidening(before, after), ...approval];
  if (before.kind === 'Service' && after.kind === 'Service') return [...serviceWidening(before, after), ...approval];
  return [`kind: ${after.kind}`];
}

function clientWidening(before: Client, after: Client): readonly string[] {
  return [
    ...authenticationWidening(before.authentication, after.authentication),
    ...added('grants', before.grants, after.grants),
    ...added('tokenTypes', before.tokenTypes, after.tokenTypes),
    ...[...after.access].flatMap(([audience, scopes]) => accessWidening(audience, before.access.get(audience), scopes)),
    ...added('roles', before.roles, after.roles),
    ...(after.maxLifetimeMs > before.maxLifetimeMs ? [`maxLifetime: ${after.maxLifetimeMs / 1000}s`] : []),
    ...(after.binding === before.binding || before.binding === 'none' ? [] : [`binding: ${after.binding}`]),
    ...added('assertsUsersAt', before.assertsUsersAt, after.assertsUsersAt),
    ...sourceWidening(before.sourceIdentities, after.sourceIdentities),
  ];
}

function serviceWidening(before: Service, after: Service): readonly string[] {
  return [...added('scopes', before.scopes, after.scopes), ...added('owners', before.owners, after.owners)];
}

/** Another way to prove it, and another key, is somebody else who may be the client. */
function authenticationWidening(before: Authentication, after: Authentication): readonly string[] {
  if (before.kind !== after.kind) return [`authentication: ${after.kind}`];
  if (before.kind !== 'private-key-jwt' || after.kind !== 'private-key-jwt') return [];
  const known = new Set(before.keys.map(({ thumbprint, algorithm }) => `${algorithm} ${thumbprint}`));
  return after.keys
    .filter(({ thumbprint, algorithm }) => !known.has(`${algorithm} ${thumbprint}`))
    .map(({ kid }) => `jwks: ${kid}`);
}

function accessWidening(
  audience: string,
  before: ReadonlySet<string> | undefined,
  after: ReadonlySet<string>,
): readonly string[] {
  if (before === undefined) return [`access: ${audience}`];
  return [...after].filter((scope) => !before.has(scope)).map((scope) => `access: ${audience} ${scope}`);
}

/** None is anyone. */
function sourceWidening(before: ReadonlySet<string>, after: ReadonlySet<string>): readonly string[] {
  if (before.size === 0) return [];
  return after.size === 0 ? ['sourceIdentities: any'] : added('sourceIdentities', before, after);
}

function added(field: string, before: ReadonlySet<string>, after: ReadonlySet<string>): readonly string[] {
  return [...after].filter((value) => !before.has(value)).map((value) => `${field}: ${value}`);
}

/** Whether two texts of JSON say the same, whatever the order of their members. */
export function isSameJson(a: string, b: string): boolean {
  return a === b || isDeepStrictEqual(JSON.parse(a), JSON.parse(b));
}
