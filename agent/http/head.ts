import {
  gatherFacts,
  isPersistent,
  requestFraming,
  responseFraming,
  upgradeOf,
  type Framing,
  type FramingProblem,
  type MessageFacts,
  type Version,
} from './framing.ts';
import {
  charClass,
  everyChar,
  lineProblem,
  readFieldLines,
  targetChar,
  tokenChar,
  valueChar,
  type FieldProblem,
  type HeadBytes,
  type HeaderField,
} from './header-field.ts';
import { hostMatches, isAuthority, readTarget, type Target, type TargetForm } from './target.ts';

export type { Framing } from './framing.ts';
export type { HeaderField } from './header-field.ts';

export interface RequestHead {
  readonly method: string;
  /** As sent; `originForm` gives what an origin server gets. */
  readonly target: string;
  readonly form: TargetForm;
  readonly version: Version;
  /** Whom the request is for, lower case, with the port where one was given; empty only on 1.0 without a Host field. */
  readonly host: string;
  readonly headers: readonly HeaderField[];
  readonly framing: Framing;
  readonly keepAlive: boolean;
  /** Lower-case protocol of an upgrade that may be followed: on 1.1 and without a body. */
  readonly upgrade: string | undefined;
  /** The caller waits for a 100 before it sends the body. */
  readonly expectContinue: boolean;
}

export interface ResponseHead {
  /** 100 to 599. */
  readonly status: number;
  readonly reason: string;
  readonly version: Version;
  readonly headers: readonly HeaderField[];
  readonly framing: Framing;
  readonly keepAlive: boolean;
  readonly upgrade: string | undefined;
  /** `Keep-Alive: timeout=N`: the sender closes the connection when it was idle for so long. */
  readonly keepAliveTimeoutSeconds: number | undefined;
  /** As it was last written to an HTTP/1.1 caller who stays, with these of its fields; kept by the writer. */
  written?: { readonly headers: readonly HeaderField[]; readonly text: string } | undefined;
}

export interface HeadLimits {
  readonly maxBytes: number;
  readonly maxHeaders: number;
}

/** Why a request was not even judged. `head-timeout`: what must be read before that did not come in time. */
export type UnreadProblem = HeadProblem | 'protected-header-in-connection' | 'head-timeout';

export type HeadProblem =
  | FieldProblem
  | FramingProblem
  | 'head-too-large'
  | 'bad-request-line'
  | 'bad-status-line'
  | 'unknown-method'
  | 'bad-target'
  | 'unsupported-version'
  | 'missing-host'
  | 'several-hosts'
  | 'bad-host'
  | 'host-mismatch';

export type HeadReading<H> =
  | { readonly kind: 'incomplete' }
  /** `end` is the offset of the first byte after the head. */
  | { readonly kind: 'complete'; readonly head: H; readonly end: number }
  | { readonly kind: 'refused'; readonly reason: HeadProblem };

const endOfHead = Buffer.from('\r\n\r\n', 'latin1');
const incomplete: { readonly kind: 'incomplete' } = Object.freeze({ kind: 'incomplete' });

/** Methods that belong to other protocols on similar wires (RTSP, RFC 7826; the preface of RFC 9113). */
export const foreignMethods: ReadonlySet<string> = new Set(
  'ANNOUNCE DESCRIBE FLUSH GET_PARAMETER PAUSE PLAY PLAY_NOTIFY PRI RECORD REDIRECT SETUP SET_PARAMETER TEARDOWN'.split(
    ' ',
  ),
);

/**
 * Reads one request head from the start of `bytes` (RFC 9112, sections 2 to 6). The only reading there is: decisions and
 * forwarding both stand on it. One empty line before it is skipped (section 2.2). Ambiguity is refused, never repaired.
 */
export function readRequestHead(bytes: Buffer, limits: HeadLimits): HeadReading<RequestHead> {
  const start = bytes.length > 1 && bytes[0] === 0x0d && bytes[1] === 0x0a ? 2 : 0;
  const blank = bytes.indexOf(endOfHead, start);
  const end = blank + 4;
  if (blank < 0 || end > limits.maxBytes) return unfinished(bytes, limits, 'bad-request-line');
  const head = parseRequest({ bytes, text: bytes.toString('latin1', 0, blank + 2) }, start, limits);
  if (typeof head === 'string') return refused(bytes.subarray(0, end), head, 'bad-request-line');
  return { kind: 'complete', head, end };
}

/**
 * Reads one response head from the start of `bytes`, the answer to a request with that method. Informational answers are
 * heads of their own; whether a 101 was asked for is the caller's to know.
 */
export function readResponseHead(bytes: Buffer, limits: HeadLimits, requestMethod: string): HeadReading<ResponseHead> {
  const blank = bytes.indexOf(endOfHead);
  const end = blank + 4;
  if (blank < 0 || end > limits.maxBytes) return unfinished(bytes, limits, 'bad-status-line');
  const head = parseResponse({ bytes, text: bytes.toString('latin1', 0, blank + 2) }, limits, requestMethod);
  if (typeof head === 'string') return refused(bytes.subarray(0, end), head, 'bad-status-line');
  return { kind: 'complete', head, end };
}

function parseRequest({ bytes, text }: HeadBytes, start: number, limits: HeadLimits): RequestHead | HeadProblem {
  const methodEnd = runEnd(bytes, start, tokenChar);
  if (methodEnd === start || bytes[methodEnd] !== 0x20) return lineProblem(text, methodEnd, 'bad-request-line');
  const targetEnd = runEnd(bytes, methodEnd + 1, targetChar);
  if (bytes[targetEnd] !== 0x20) return lineProblem(text, targetEnd, 'bad-target');
  const version = readVersion(text, targetEnd + 1, 'bad-request-line');
  if (version !== '1.1' && version !== '1.0') return version;
  const lineEnd = targetEnd + 9;
  if (bytes[lineEnd] !== 0x0d || bytes[lineEnd + 1] !== 0x0a) return lineProblem(text, lineEnd, 'bad-request-line');

  const method = text.slice(start, methodEnd);
  if (foreignMethods.has(method)) return 'unknown-method';
  const target = text.slice(methodEnd + 1, targetEnd);
  const reading = readTarget(method, target);
  if (reading === undefined) return 'bad-target';
  const headers = readFieldLines({ bytes, text }, lineEnd + 2, limits.maxHeaders);
  if (typeof headers === 'string') return headers;
  const facts = gatherFacts(headers);
  const hostProblem = judgeHost(reading, version, facts);
  if (hostProblem !== undefined) return hostProblem;
  const framing = requestFraming(method, version, facts);
  if (typeof framing === 'string') return framing;
  const hasBody = framing.kind !== 'none';
  return {
    method,
    target,
    form: reading.form,
    version,
    host: (reading.authority || facts.host).toLowerCase(),
    headers,
    framing,
    keepAlive: isPersistent(version, facts),
    upgrade: hasBody ? undefined : upgradeOf(version, facts),
    expectContinue: hasBody && version === '1.1' && facts.expect.toLowerCase() === '100-continue',
  };
}

function parseResponse(
  { bytes, text }: HeadBytes,
  limits: HeadLimits,
  requestMethod: string,
): ResponseHead | HeadProblem {
  const version = readVersion(text, 0, 'bad-status-line');
  if (version !== '1.1' && version !== '1.0') return version;
  const lineEnd = text.indexOf('\r\n', 8);
  const status = readStatus(text);
  const isSpaced = text.charCodeAt(8) === 0x20 && (lineEnd === 12 || text.charCodeAt(12) === 0x20);
  if (!isSpaced || status === undefined) return lineProblem(text, lineEnd, 'bad-status-line');
  const reason = text.slice(13, Math.max(13, lineEnd)); // the blank before an empty reason may be missing
  if (!everyChar(reason, valueChar)) return reason.includes('\r') ? 'bare-carriage-return' : 'bad-status-line';

  const headers = readFieldLines({ bytes, text }, lineEnd + 2, limits.maxHeaders);
  if (typeof headers === 'string') return headers;
  const facts = gatherFacts(headers);
  const framing = responseFraming({ status, version }, requestMethod, facts);
  if (typeof framing === 'string') return framing;
  return {
    status,
    reason,
    version,
    headers,
    framing,
    keepAlive: framing.kind !== 'until-close' && isPersistent(version, facts),
    upgrade: upgradeOf(version, facts),
    keepAliveTimeoutSeconds: facts.keepAlive === '' ? undefined : readTimeout(facts.keepAlive),
  };
}

/** `HTTP/1.1` or `HTTP/1.0`, in this spelling. Another version is told apart from something that is none. */
function readVersion<R>(text: string, at: number, otherwise: R): '1.0' | '1.1' | R | 'unsupported-version' {
  if (text.startsWith('HTTP/1.1', at)) return '1.1';
  if (text.startsWith('HTTP/1.0', at)) return '1.0';
  return /^HTTP\/[0-9]\.[0-9][ \r]/.test(text.slice(at, at + 9)) ? 'unsupported-version' : otherwise;
}

/** End of the run of characters with this `charClass` bit; a head's last line break ends any run. */
function runEnd(bytes: Buffer, from: number, bit: number): number {
  let at = from;
  while ((charClass[bytes[at]!]! & bit) !== 0) at += 1;
  return at;
}

/** The three digits after `HTTP/1.1 `. */
function readStatus(text: string): number | undefined {
  const hundreds = text.charCodeAt(9) - 0x30;
  const tens = text.charCodeAt(10) - 0x30;
  const ones = text.charCodeAt(11) - 0x30;
  const isStatus = hundreds >= 1 && hundreds <= 5 && tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9;
  return isStatus ? hundreds * 100 + tens * 10 + ones : undefined;
}

/** A server says the same every time. */
const lastTimeout: { text: string; seconds: number | undefined } = { text: '', seconds: undefined };

/** Of `Keep-Alive: timeout=5, max=100`. */
function readTimeout(keepAlive: string): number | undefined {
  if (keepAlive === lastTimeout.text) return lastTimeout.seconds;
  const digits = /(?:^|[,; \t])timeout=([0-9]{1,9})(?:$|[,; \t])/i.exec(keepAlive)?.[1];
  lastTimeout.text = keepAlive;
  lastTimeout.seconds = digits === undefined ? undefined : Number(digits);
  return lastTimeout.seconds;
}

/** Exactly one good Host field on 1.1, at most one on 1.0, naming what the target names (RFC 9112, section 3.2). */
function judgeHost(target: Target, version: Version, facts: MessageFacts): HeadProblem | undefined {
  if (facts.hosts > 1) return 'several-hosts';
  if (facts.hosts === 0) return version === '1.1' ? 'missing-host' : undefined;
  if (!isAuthority(facts.host)) return 'bad-host';
  return target.authority === '' || hostMatches(target, facts.host) ? undefined : 'host-mismatch';
}

type StartLineProblem = 'bad-request-line' | 'bad-status-line';

/** No end of head so far: too long already, hopeless already, or to be continued. */
function unfinished(bytes: Buffer, limits: HeadLimits, startLine: StartLineProblem): HeadReading<never> {
  const window = bytes.subarray(0, limits.maxBytes);
  const early = earlyProblem(window, startLine);
  if (early !== undefined) return { kind: 'refused', reason: early };
  return bytes.length >= limits.maxBytes ? { kind: 'refused', reason: 'head-too-large' } : incomplete;
}

/** Problems that show before the end are named first, so that the reason does not depend on how the bytes arrived. */
function refused(window: Buffer, reason: HeadProblem, startLine: StartLineProblem): HeadReading<never> {
  return { kind: 'refused', reason: earlyProblem(window, startLine) ?? reason };
}

/** Another protocol (its first byte tells) or lines without CR: an answer now, rather than when the deadline has passed. */
function earlyProblem(window: Buffer, startLine: StartLineProblem): StartLineProblem | 'bare-line-feed' | undefined {
  const first = window[0];
  if (first === undefined) return undefined;
  const isPlausible =
    startLine === 'bad-status-line' ? first === 0x48 : first === 0x0d || (charClass[first]! & tokenChar) !== 0;
  if (!isPlausible) return startLine;
  for (let at = window.indexOf(0x0a); at >= 0; at = window.indexOf(0x0a, at + 1)) {
    if (window[at - 1] !== 0x0d) return 'bare-line-feed';
  }
  return undefined;
}
