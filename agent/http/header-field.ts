import { knownName, nextHash } from './known-names.ts';

/** One field line of a head or of trailers. Comes from `readFieldLines` or `headerField`, so it holds no line break. */
export interface HeaderField {
  /** Lower case. */
  readonly name: string;
  /** As it was spelled on the wire. */
  readonly rawName: string;
  /** Latin-1, without the blanks around it. */
  readonly value: string;
}

export const noFields: readonly HeaderField[] = [];

export type FieldProblem =
  | 'bad-header-name'
  | 'space-before-colon'
  | 'obs-fold'
  | 'bad-header-value'
  | 'bare-line-feed'
  | 'bare-carriage-return'
  | 'too-many-headers';

/** Bits of `charClass`. `odd` marks what a name may hold but CGI-like servers fold into `-` or `_`. */
export const tokenChar = 1;
const upperCaseChar = 2;
const oddChar = 4;
export const valueChar = 8;
export const targetChar = 16;

const tab = 0x09;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const colon = 0x3a;

/** What each Latin-1 character may be part of (RFC 9110, sections 5.5 and 5.6.2; targets hold no `#`, RFC 9112, section 3.2). */
export const charClass: Uint8Array = buildCharClass();

function buildCharClass(): Uint8Array {
  const table = new Uint8Array(256);
  for (let code = 0; code < 256; code += 1) {
    const char = String.fromCharCode(code);
    let bits = 0;
    if (/[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(char)) bits |= tokenChar;
    if (/[A-Z]/.test(char)) bits |= upperCaseChar;
    if (/[!#$%&'*+.^_`|~]/.test(char)) bits |= oddChar;
    if (code === tab || (code >= space && code !== 0x7f)) bits |= valueChar;
    if (code > space && code < 0x7f && char !== '#') bits |= targetChar;
    table[code] = bits;
  }
  return table;
}

/** Names whose other spellings (`Content_Length`) some servers take for the real thing: never passed on. */
const framingNames = new Set(['content-length', 'transfer-encoding', 'host', 'connection']);

/** Bytes and the same bytes as Latin-1: characters are looked at in the first, which is twice as fast, and cut from the second. */
export interface HeadBytes {
  readonly bytes: Buffer;
  /** Its start at least, up to and with a CRLF. */
  readonly text: string;
}

/**
 * Reads `name: value` lines from `from` to the end of `text`, each ended by CRLF (RFC 9112, section 5). A problem is
 * the first one met. Repairs nothing: no folded lines, no blank before the colon, no lone CR or LF.
 */
export function readFieldLines(
  { bytes, text }: HeadBytes,
  from: number,
  maxFields: number,
): HeaderField[] | FieldProblem {
  const fields: HeaderField[] = [];
  const { length } = text;
  let at = from;
  while (at < length) {
    if (fields.length === maxFields) return 'too-many-headers';
    let nameEnd = at;
    let seen = 0;
    let hash = 0;
    let byte = bytes[nameEnd]!;
    let bits = charClass[byte]!;
    while ((bits & tokenChar) !== 0) {
      seen |= bits;
      hash = nextHash(hash, byte);
      nameEnd += 1;
      byte = bytes[nameEnd]!;
      bits = charClass[byte]!;
    }
    if (nameEnd === at || bytes[nameEnd] !== colon) return nameProblem(text, at, nameEnd);
    let valueStart = nameEnd + 1;
    while (isBlank(bytes[valueStart]!)) valueStart += 1;
    let lineEnd = valueStart;
    while ((charClass[bytes[lineEnd]!]! & valueChar) !== 0) lineEnd += 1;
    if (bytes[lineEnd] !== carriageReturn || bytes[lineEnd + 1] !== lineFeed) {
      return lineProblem(text, lineEnd, 'bad-header-value');
    }
    let valueEnd = lineEnd;
    while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1]!)) valueEnd -= 1;
    const value = text.slice(valueStart, valueEnd);
    const known = knownName(bytes, at, nameEnd, hash);
    if (known !== undefined) fields.push({ name: known.name, rawName: known.rawName, value });
    else {
      const rawName = text.slice(at, nameEnd);
      const name = (seen & upperCaseChar) === 0 ? rawName : rawName.toLowerCase();
      if ((seen & oddChar) !== 0 && framingNames.has(foldedName(name))) return 'bad-header-name';
      fields.push({ name, rawName, value });
    }
    at = lineEnd + 2;
  }
  return fields;
}

/** A lower-case name as the laxest servers see it: everything but letters and digits is a hyphen. */
export function foldedName(name: string): string {
  return name.replace(/[^a-z0-9]/g, '-');
}

/** Whether lax servers take one lower-case name for the other: `x_env` for `x-env`. */
export function isSpellingOf(name: string, other: string): boolean {
  return name === other || (name.length === other.length && foldedName(name) === foldedName(other));
}

/** A field of our own making. Throws when name or value could not stand in one line: that would be our mistake. */
export function headerField(rawName: string, value: string): HeaderField {
  const isName = rawName.length > 0 && everyChar(rawName, tokenChar);
  if (!isName || !everyChar(value, valueChar)) throw new TypeError(`not a header field: ${JSON.stringify(rawName)}`);
  return { name: rawName.toLowerCase(), rawName, value };
}

/** Whether all characters of the text have one of these `charClass` bits. */
export function everyChar(text: string, bits: number): boolean {
  for (let at = 0; at < text.length; at += 1) {
    if (((charClass[text.charCodeAt(at)] ?? 0) & bits) === 0) return false;
  }
  return true;
}

/** Names a character that ended a line too early: a lone CR, a lone LF, or `otherwise`. */
export function lineProblem<R>(text: string, at: number, otherwise: R): R | 'bare-line-feed' | 'bare-carriage-return' {
  const code = text.charCodeAt(at);
  if (code === lineFeed) return 'bare-line-feed';
  if (code === carriageReturn && text.charCodeAt(at + 1) !== lineFeed) return 'bare-carriage-return';
  return otherwise;
}

function nameProblem(text: string, start: number, end: number): FieldProblem {
  if (isBlank(text.charCodeAt(end))) return end === start ? 'obs-fold' : 'space-before-colon';
  return lineProblem(text, end, 'bad-header-name');
}

function isBlank(code: number): boolean {
  return code === space || code === tab;
}

/**
 * Fields that hold secrets. They are never indexed in HTTP/2, where a caller who shares a session must not learn from
 * lengths whether it guessed one (RFC 7541, section 7.1.3), and a head with one is remembered on its own connection alone.
 */
const secretNames: ReadonlySet<string> = new Set([
  'authorization',
  'x-access-token',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'workload-identity-token',
  'workload-proof-token',
]);

/** Whether a lower-case field name is that of a secret. */
export function isSecretName(name: string): boolean {
  return secretNames.has(name);
}
