import { charClass, tokenChar } from '#agent/http/header-field.ts';

/**
 * `more`: the bytes so far may become HTTP or something else. `unlikely`: no method begins so, but a lax server would take
 * it for one if a version followed in the same line.
 */
export type Detected = 'http2' | 'http' | 'opaque' | 'unlikely' | 'more';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const proxyHeader = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

/** A first line that says nothing by then is read as HTTP, which will refuse it. */
const maxLineBytes = 8_192;
const lineFeed = 0x0a;

/** Behind what `isLaxBlank` knows. */
const version = /[\x09-\x0d\x1c-\x20\x85\xa0]http\//i;
/** So many bytes before its end tell whether it goes on. */
export const versionBytes = 6;

/**
 * What a caller's first bytes are: HTTP/2 with prior knowledge (RFC 9113, section 3.4), a request line of HTTP/1, or
 * opaque. Where something is read as opaque the app gets it as it came, so whatever the laxest server could take for
 * HTTP is `http`, which the strict reader then refuses: blanks before the method and odd ones behind it, a method of bytes
 * that no token has (any, for Python's `wsgiref`), `GET` without a version (which Python's server reads headers after), a
 * PROXY header. Everything else needs a version, `HTTP/` behind a blank, in its first line.
 */
export function detectProtocol(bytes: Buffer): Detected {
  if (startsLike(bytes, preface)) return bytes.length < preface.length ? 'more' : 'http2';
  if (startsLike(bytes, proxyHeader)) return bytes.length < proxyHeader.length ? 'more' : 'http';
  const { length } = bytes;
  let start = 0;
  while (start < length && isLaxBlank(bytes[start]!)) start += 1;
  let end = start;
  while (end < length && (charClass[bytes[end]!]! & tokenChar) !== 0) end += 1;
  if (end === length) return length > maxLineBytes ? 'http' : 'more';
  const isMethod = end > start && isLaxBlank(bytes[end]!);
  const word = bytes.toString('latin1', start, Math.min(end, start + 6));
  if (isMethod && bytes[end] !== lineFeed && (word === 'GET' || word === 'PROXY')) return 'http';
  const rest = readLineRest(bytes, end);
  if (rest !== 'more') return rest === 'version' ? 'http' : 'opaque';
  if (!isMethod) return 'unlikely';
  return length > maxLineBytes ? 'http' : 'more';
}

/** Whether a version follows from `from` on, behind a blank, before the line ends. */
export function readLineRest(bytes: Buffer, from: number): 'version' | 'ended' | 'more' {
  const lineEnd = bytes.indexOf(lineFeed, from);
  const line = bytes.toString('latin1', from, lineEnd < 0 ? bytes.length : lineEnd);
  if (version.test(line)) return 'version';
  return lineEnd < 0 ? 'more' : 'ended';
}

/** One of both is the other's beginning. */
function startsLike(bytes: Buffer, known: Buffer): boolean {
  const length = Math.min(bytes.length, known.length);
  return bytes.compare(known, 0, length, 0, length) === 0;
}

/** What some server skips before a request line or splits it at: Python's `split()` knows the most. */
function isLaxBlank(code: number): boolean {
  return (code >= 0x09 && code <= 0x0d) || (code >= 0x1c && code <= 0x20) || code === 0x85 || code === 0xa0;
}
