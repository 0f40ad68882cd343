import type { Asked, Doubt, Test } from './asked.ts';
import type { CallToken, ConditionKey, Source } from './model.ts';

/** `<iss>/<sub>`, as Istio names whom a token is about. */
function requestPrincipalOf({ issuer, subject }: CallToken): string {
  return `${issuer}/${subject}`;
}

export type TokenKey = Extract<ConditionKey, { readonly of: `request.auth.${string}` }>;

export function isTokenKey(key: ConditionKey): key is TokenKey {
  return key.of.startsWith('request.auth.');
}

/** What a token has of that kind. */
export function tokenTexts(key: TokenKey, token: CallToken): readonly string[] {
  switch (key.of) {
    case 'request.auth.principal':
      return [requestPrincipalOf(token)];
    case 'request.auth.audiences':
      return [token.audience];
    case 'request.auth.presenter':
      return token.authorizedParty === undefined ? [] : [token.authorizedParty];
    case 'request.auth.claims':
      return claimTexts(token.claims, key.path);
  }
}

/** Claims whose text is a list with blanks, as Istio has it. */
const spaced: ReadonlySet<string> = new Set(['scope', 'permission']);

/** A text, or the texts of a list; numbers and other values are none. */
function claimTexts(claims: CallToken['claims'], path: readonly string[]): readonly string[] {
  let value: unknown = claims;
  for (const name of path) value = value instanceof Map ? value.get(name) : undefined;
  if (typeof value === 'string') return path.length === 1 && spaced.has(path[0] ?? '') ? value.split(' ') : [value];
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

/** Fields of a source that are about the token. */
export const tokenSourceFields = ['requestPrincipals', 'notRequestPrincipals', 'roles', 'notRoles'] as const;

export function sourceTexts(field: (typeof tokenSourceFields)[number], token: CallToken): readonly string[] {
  return field === 'roles' || field === 'notRoles' ? token.roles : [requestPrincipalOf(token)];
}

export function asksForToken(source: Source): (typeof tokenSourceFields)[number] | undefined {
  return tokenSourceFields.find((field) => source[field] !== undefined);
}

interface Sets {
  readonly wanted: { has(text: string): boolean } | undefined;
  readonly excluded: { has(text: string): boolean } | undefined;
}

/** One of the texts is wanted, none excluded. Without a token nobody can tell, and doubt decides. */
export function tokenTest(
  textsOf: (token: CallToken) => readonly string[],
  { wanted, excluded }: Sets,
  doubt: Doubt,
): Test {
  return ({ call }: Asked) => {
    const token = call.http?.token;
    if (token === undefined) return doubt === 'wide';
    const texts = textsOf(token);
    if (wanted !== undefined && !texts.some((text) => wanted.has(text))) return false;
    return excluded === undefined || !texts.some((text) => excluded.has(text));
  };
}
