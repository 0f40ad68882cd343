import { charClass, foldedName, targetChar, tokenChar, valueChar } from '#agent/http/header-field.ts';

/**
 * What a field is to the rules of RFC 9113, section 8, as bits: worked out once for each entry of a table, so that a
 * section of known fields is judged by the union of its fields' bits alone.
 */
export const fieldKind = {
  method: 0x1,
  /** `:method: CONNECT`. */
  connect: 0x2,
  /** `:method: OPTIONS`. */
  options: 0x4,
  scheme: 0x8,
  authority: 0x10,
  path: 0x20,
  /** `:path: *`. */
  asterisk: 0x40,
  status: 0x80,
  /** `:status: 1xx`. */
  informational: 0x100,
  /** 204 and 304: no content, whatever the length says. */
  bodiless: 0x200,
  contentLength: 0x400,
  /** Not a pseudo-header field. */
  regular: 0x800,
  badName: 0x1000,
  badValue: 0x2000,
  /** What HTTP/1.1 says about one connection has no place here (section 8.2.2). */
  connectionSpecific: 0x4000,
} as const;

const { method, scheme, authority, path, status, contentLength, regular } = fieldKind;

export const pseudoKinds = method | scheme | authority | path | status;

const kindByName = new Map<string, number>([
  [':method', method],
  [':scheme', scheme],
  [':authority', authority],
  [':path', path],
  [':status', status],
  ['content-length', regular | contentLength],
  ['connection', regular | fieldKind.connectionSpecific],
  ['proxy-connection', regular | fieldKind.connectionSpecific],
  ['keep-alive', regular | fieldKind.connectionSpecific],
  ['transfer-encoding', regular | fieldKind.connectionSpecific],
  ['upgrade', regular | fieldKind.connectionSpecific],
]);

/** Names whose other spellings (`content_length`) some servers take for the real thing. */
const framingNames = new Set(['content-length', 'transfer-encoding', 'host', 'connection']);

const plainNameChar = 1;
const oddNameChar = 2;

/** Lower-case tokens; `odd` is what lax servers fold into a hyphen. */
const nameClass = Uint8Array.from(charClass, (bits, code) => {
  if ((bits & tokenChar) === 0 || (code >= 0x41 && code <= 0x5a)) return 0;
  const isPlain = code === 0x2d || (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x7a);
  return isPlain ? plainNameChar : oddNameChar;
});

/** The kind of a field by its name, which lies in `bytes` too. */
export function kindOfName(name: string, bytes: Buffer, from: number): number {
  const to = from + name.length;
  let seen = 0;
  for (let at = from; at < to; at += 1) {
    const bits = nameClass[bytes[at]!]!;
    if (bits === 0) return kindByName.get(name) ?? fieldKind.badName; // a colon makes it a pseudo-header field
    seen |= bits;
  }
  if (seen === 0) return fieldKind.badName;
  if ((seen & oddNameChar) !== 0 && framingNames.has(foldedName(name))) return fieldKind.badName;
  return kindByName.get(name) ?? regular;
}

const blankOrTab = (code: number): boolean => code === 0x20 || code === 0x09;

/** `badValue`, or 0 where each octet may stand in a value and none of its ends is blank (section 8.2.1). */
export function octetsProblem(bytes: Buffer, from: number, to: number): number {
  for (let at = from; at < to; at += 1) if ((charClass[bytes[at]!]! & valueChar) === 0) return fieldKind.badValue;
  if (to > from && (blankOrTab(bytes[from]!) || blankOrTab(bytes[to - 1]!))) return fieldKind.badValue;
  return 0;
}

const longestDecimal = 15;
const decimal = /^[0-9]+$/;
const schemeForm = /^[a-z][a-z0-9+.-]*$/;
const statusForm = /^[1-5][0-9]{2}$/;

/** The bits of a whole field, from those of its name: what its value adds. */
export function kindOfField(nameKind: number, name: string, value: string): number {
  if (nameKind === regular)
    return name === 'te' && value !== 'trailers' ? regular | fieldKind.connectionSpecific : regular;
  switch (nameKind) {
    case method:
      if (value === 'CONNECT') return method | fieldKind.connect;
      if (value === 'OPTIONS') return method | fieldKind.options;
      return isMadeOf(value, tokenChar) ? method : method | fieldKind.badValue;
    case scheme:
      return schemeForm.test(value) ? scheme : scheme | fieldKind.badValue;
    case authority:
      return isMadeOf(value, targetChar) && !/[@/?\\]/.test(value) ? authority : authority | fieldKind.badValue;
    case path:
      if (value === '*') return path | fieldKind.asterisk;
      return value.startsWith('/') && isMadeOf(value, targetChar) ? path : path | fieldKind.badValue;
    case status:
      return kindOfStatus(value);
    case regular | contentLength:
      return value.length <= longestDecimal && decimal.test(value) ? nameKind : nameKind | fieldKind.badValue;
    default:
      return nameKind;
  }
}

function kindOfStatus(value: string): number {
  if (!statusForm.test(value) || value === '101') return status | fieldKind.badValue; // 101: section 8.6
  if (value.startsWith('1')) return status | fieldKind.informational;
  return value === '204' || value === '304' ? status | fieldKind.bodiless : status;
}

function isMadeOf(text: string, bits: number): boolean {
  for (let at = 0; at < text.length; at += 1) {
    if ((charClass[text.charCodeAt(at)]! & bits) === 0) return false;
  }
  return text.length > 0;
}
