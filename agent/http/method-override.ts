import { isSpellingOf } from './header-field.ts';

/** Headers by which some frameworks let a POST stand for another method. */
const names = ['x-http-method-override', 'x-http-method', 'x-method-override'];

/**
 * The other methods that a POST asks to be taken for, in capitals as such frameworks read them; undefined: none. Of a list
 * some apps take the first and some the last; what is between is nobody's, so that a long one costs no more decisions.
 */
export function overridesIn(
  headers: readonly { readonly name: string; readonly value: string }[],
): readonly string[] | undefined {
  let found: string[] | undefined;
  for (const { name, value } of headers) {
    if (name.charCodeAt(0) !== 0x78 || !names.some((known) => isSpellingOf(name, known))) continue;
    const words = value.split(',');
    const [first, last] = [words.find(isWord), words.findLast(isWord)];
    if (first !== undefined) found = withMethod(found, first);
    if (last !== first && last !== undefined) found = withMethod(found, last);
  }
  return found;
}

function isWord(text: string): boolean {
  return text.trim() !== '';
}

function withMethod(found: string[] | undefined, word: string): string[] | undefined {
  const method = word.trim().toUpperCase();
  return method === 'POST' || found?.includes(method) === true ? found : [...(found ?? []), method];
}
