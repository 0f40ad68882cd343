import { isUtf8 } from 'node:buffer';

/** The parameters of a request: each at most once, none of them empty (RFC 6749, section 3.2). */
export type Form = ReadonlyMap<string, string>;

const maxParameters = 32;

/** `application/x-www-form-urlencoded`. Undefined: a parameter is there twice, or the text is not well-formed (A32). */
export function readForm(bytes: Buffer): Form | undefined {
  if (!isUtf8(bytes)) return undefined;
  const form = new Map<string, string>();
  const text = bytes.toString();
  if (text === '') return form;
  const pairs = text.split('&', maxParameters + 1);
  if (pairs.length > maxParameters) return undefined;
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const name = decode(at < 0 ? pair : pair.slice(0, at));
    const value = decode(at < 0 ? '' : pair.slice(at + 1));
    if (name === undefined || value === undefined || name === '' || form.has(name)) return undefined;
    form.set(name, value);
  }
  for (const [name, value] of form) if (value === '') form.delete(name); // as if it had been left out
  return form;
}

/** Undefined: an escape that is none. */
export function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
