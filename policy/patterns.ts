import { parseSpiffeId } from '#certs/spiffe-id.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { Pattern } from './model.ts';

/** Reads what a document gives to compare with. Refuses with a sentence that says what to write instead. */
export type ReadPattern = (text: string) => Result<Pattern, string>;

export const scheme = 'spiffe://';

const maxLength = 2_048;
const nameForm = /^[A-Za-z0-9._-]+$/;
const methodForm = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const knownMethods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

/** `abc`, `abc*`, `*abc`, or `*` for anything that is not empty. */
export function parsePattern(text: string): Result<Pattern, string> {
  if (text === '') return refuse('is empty: write a value, or "*" for any that is not empty');
  if (text.length > maxLength) return refuse(`has more than ${maxLength} characters: write a shorter pattern`);
  if (text === '*') return ok({ kind: 'present' });
  const star = text.indexOf('*');
  if (star < 0) return ok({ kind: 'exact', text });
  if (star === text.length - 1) return ok({ kind: 'prefix', text: text.slice(0, -1) });
  if (star === 0 && !text.includes('*', 1)) return ok({ kind: 'suffix', text: text.slice(1) });
  return refuse('has a "*" inside: only abc*, *abc and "*" alone mean something');
}

/** A SPIFFE ID, with or without its scheme. A pattern may not end inside the trust domain: `a.example*` is `a.example.evil` too. */
export function parsePrincipal(text: string): Result<Pattern, string> {
  const pattern = parsePattern(text.startsWith(scheme) ? text.slice(scheme.length) : text);
  if (!pattern.ok || !('text' in pattern.value)) return pattern;
  const { kind, text: named } = pattern.value;
  if (kind !== 'suffix' && named.startsWith('ns/')) return refuse(`names no trust domain: write prod.example/${named}`);
  if (kind === 'exact') {
    return parseSpiffeId(scheme + named).ok
      ? pattern
      : refuse('is no SPIFFE ID: write the whole of it, e.g. prod.example/ns/shop/sa/cart');
  }
  if (!/^[A-Za-z0-9._/-]+$/.test(named))
    return refuse('has characters that no SPIFFE ID has: a-z, A-Z, 0-9 and ._-/ exist');
  if (kind === 'prefix' && !named.includes('/')) {
    return refuse(`ends inside a trust domain and would match longer ones: write ${named}/*`);
  }
  return pattern;
}

/** Whether a principal's pattern says of which trust domain it is: what begins with a star does not. */
export function namesDomain({ kind }: Pattern): boolean {
  return kind === 'exact' || kind === 'prefix'; // no prefix ends inside a trust domain: `parsePrincipal`
}

/** A namespace, as in `ns/<namespace>/sa/…`. */
export function parseNamespace(text: string): Result<Pattern, string> {
  const pattern = parsePattern(text);
  if (!pattern.ok || !('text' in pattern.value) || nameForm.test(pattern.value.text)) return pattern;
  return refuse('is no namespace: write its name alone, e.g. shop');
}

/** Methods are compared as they are, in capitals or not (RFC 9110, section 9.1). */
export function parseMethod(text: string): Result<Pattern, string> {
  const pattern = parsePattern(text);
  if (!pattern.ok || !('text' in pattern.value)) return pattern;
  const capitals = text.toUpperCase();
  if (capitals !== text && knownMethods.includes(capitals)) {
    return refuse(`never matches, for methods are in capitals: write ${capitals}`);
  }
  return methodForm.test(pattern.value.text) ? pattern : refuse('is no method: write e.g. GET');
}

/** In lower case. With a port only where one is named. */
export function parseHost(text: string): Result<Pattern, string> {
  const pattern = parsePattern(text.toLowerCase());
  if (!pattern.ok || !('text' in pattern.value)) return pattern;
  if (!/^[^\s/?#@\\]+$/.test(pattern.value.text))
    return refuse('is no host: write e.g. prices.example or prices.example:8080');
  return pattern;
}

/** `8080`, as the text that is compared. */
export function parsePort(text: string): Result<Pattern, string> {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535
    ? ok({ kind: 'exact', text })
    : refuse('is no port: write one of 1 to 65535; there are no patterns of ports');
}
