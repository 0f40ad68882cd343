import { METHODS } from 'node:http';
import { charClass, tokenChar } from '#agent/http/header-field.ts';
import { isLaxBlank, LineWords } from './line-words.ts';

/**
 * `more`: the bytes so far may become HTTP or something else. `unlikely`: no method begins so, but a lax server would take
 * it for one if the line went on as a request line does.
 */
export type Detected = 'http2' | 'http' | 'opaque' | 'unlikely' | 'more';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const proxyHeader = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

/** A first line that says nothing by then is read as HTTP, which will refuse it. */
const maxLineBytes = 8_192;
const lineFeed = 0x0a;

/** Behind what `isLaxBlank` knows. */
const version = /[\x09-\x0d\x1c-\x20\x85\xa0]http\//i;

/**
 * Methods behind which some server reads headers whatever else the line says: Node's parser takes all that it knows, those
 * of RTSP and ICE among them, without a version or with one of another protocol (HTTP/0.9 had none), and Python's takes GET.
 */
const knownMethods = new Set([
  ...METHODS,
  ...['PRI', 'DESCRIBE', 'ANNOUNCE', 'SETUP', 'PLAY', 'PAUSE', 'TEARDOWN', 'GET_PARAMETER', 'SET_PARAMETER'],
  ...['REDIRECT', 'RECORD', 'FLUSH', 'PROXY'],
]);
const openingBrace = 0x7b;
const carriageReturn = 0x0d;
const slash = 0x2f;
const asterisk = 0x2a;

/**
 * What a caller's first bytes are: HTTP/2 with prior knowledge (RFC 9113, section 3.4), a request line of HTTP/1, or
 * opaque. Where something is read as opaque the app gets it as it came, so whatever the laxest server could take for
 * HTTP is `http`, which the strict reader then refuses: blanks before the method and odd ones behind it, a method that is
 * known, a PROXY header, a version (`HTTP/` behind a blank) in a line that begins with any word; and in one whose first
 * word has bytes that no method has, but that is a request line in form (see `LineWords`): Python's `wsgiref` takes those.
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
  if (end === start || !isLaxBlank(bytes[end]!)) {
    const verdict = new LineWords().read(bytes);
    return verdict === 'more' ? 'unlikely' : verdict;
  }
  const followed = wordBehind(bytes, end);
  if (followed === 'more') return 'more';
  if (followed !== 'nothing' && isMethodBefore(followed, bytes.toString('latin1', start, end))) return 'http';
  if (followed === 'brace' && bytes.toString('latin1', start, end) === 'CONNECT') return 'opaque'; // NATS
  const lineEnd = bytes.indexOf(lineFeed, end);
  if (version.test(bytes.toString('latin1', end, lineEnd < 0 ? length : lineEnd))) return 'http';
  if (lineEnd >= 0) return 'opaque';
  return length > maxLineBytes ? 'http' : 'more';
}

type Behind = 'nothing' | 'more' | 'brace' | 'target' | 'word';

/** What stands behind the first word and its blanks; `nothing`: the line ends there, as STOMP's first one does. */
function wordBehind(bytes: Buffer, end: number): Behind {
  let at = end;
  while (at < bytes.length && isLaxBlank(bytes[at]!) && bytes[at] !== lineFeed) at += 1;
  if (at === bytes.length) return at > maxLineBytes ? 'word' : 'more';
  if (bytes[at] === lineFeed && (at === end || (at === end + 1 && bytes[end] === carriageReturn))) return 'nothing';
  if (bytes[at] === openingBrace) return 'brace';
  return bytes[at] === slash || bytes[at] === asterisk || isScheme(bytes, at) ? 'target' : 'word';
}

function isScheme(bytes: Buffer, at: number): boolean {
  return /^https?:/i.test(bytes.toString('latin1', at, at + 6));
}

/** Some servers read headers behind any method in capital letters and a target. */
function isMethodBefore(behind: Behind, word: string): boolean {
  if (behind === 'target' && /^[A-Z]+$/.test(word)) return true;
  return knownMethods.has(word) && (word !== 'CONNECT' || behind !== 'brace');
}

/** One of both is the other's beginning. */
function startsLike(bytes: Buffer, known: Buffer): boolean {
  const length = Math.min(bytes.length, known.length);
  return bytes.compare(known, 0, length, 0, length) === 0;
}
