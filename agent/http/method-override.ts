import { isSpellingOf } from './header-field.ts';

/** Headers by which some frameworks let a POST stand for another method. */
const names = ['x-http-method-override', 'x-http-method', 'x-method-override'];

/** The other methods that a POST asks to be taken for, in capitals as such frameworks read them; undefined: none. */
export function overridesIn(
  headers: readonly { readonly name: string; readonly value: string }[],
): readonly string[] | undefined {
  let found: string[] | undefined;
  for (const { name, value } of headers) {
    if (name.charCodeAt(0) !== 0x78 || !names.some((known) => isSpellingOf(name, known))) continue;
    const method = value.trim().toUpperCase();
    if (method !== '' && method !== 'POST') (found ??= []).push(method);
  }
  return found;
}
