import { isJsonArray, type JsonValue } from './strict-json.ts';

const maxScopes = 256;

/** `a b c`: one blank between names of the characters that RFC 6749, section 3.3 allows. Undefined: it is none. */
export function parseScope(text: string): readonly string[] | undefined {
  if (text === '') return [];
  const names = text.split(' ', maxScopes + 1);
  return names.length <= maxScopes && names.every(isScopeName) ? names : undefined;
}

/** As foreign issuers write it: a text with blanks, or a list. */
export function parseScopeOrList(value: JsonValue): readonly string[] | undefined {
  if (typeof value === 'string') return parseScope(value);
  if (!isJsonArray(value) || value.length > maxScopes) return undefined;
  return value.every((name) => typeof name === 'string' && isScopeName(name))
    ? (value as readonly string[])
    : undefined;
}

function isScopeName(name: string): boolean {
  for (let at = 0; at < name.length; at += 1) {
    const code = name.charCodeAt(at);
    if (code < 0x21 || code > 0x7e || code === 0x22 || code === 0x5c) return false;
  }
  return name !== '';
}
