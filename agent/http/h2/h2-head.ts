import { STATUS_CODES } from 'node:http';
import { readLength, type Framing } from '#agent/http/framing.ts';
import {
  foreignMethods,
  type HeadLimits,
  type HeadProblem,
  type RequestHead,
  type ResponseHead,
} from '#agent/http/head.ts';
import { everyChar, targetChar, tokenChar, type HeaderField } from '#agent/http/header-field.ts';
import { hostMatches, isAuthority, type TargetForm } from '#agent/http/target.ts';

/** Whether END_STREAM came with the head or is still to come. */
export type Ending = 'with-head' | 'later';

const noBody: Framing = Object.freeze({ kind: 'none' });
const emptyBody: Framing = Object.freeze({ kind: 'length', bytes: 0 });
const unknownLength: Framing = Object.freeze({ kind: 'chunked' });

/** What one pass over the fields of a head has gathered, besides those that are kept. */
interface Gathered {
  readonly headers: HeaderField[];
  host: string | undefined;
  length: string | undefined;
  expect: string;
  cookies: number;
}

/**
 * Judges the fields of a request (RFC 9113, section 8.3) as strictly as a head of HTTP/1.1: one authority, a target
 * that can stand in a request line, no field about the connection, no content with GET, HEAD and TRACE. Fields come
 * lower case and without control characters. Not for CONNECT. A problem is answered or, where the message is malformed
 * (`isMalformed`), reset.
 */
export function readRequestFields(
  fields: readonly HeaderField[],
  ending: Ending,
  limits: HeadLimits,
): RequestHead | HeadProblem {
  let method: string | undefined;
  let scheme: string | undefined;
  let authority: string | undefined;
  let path: string | undefined;
  let at = 0;
  for (; at < fields.length; at += 1) {
    const { name, value } = fields[at]!;
    if (name.charCodeAt(0) !== 0x3a) break;
    if (name === ':method' && method === undefined) method = value;
    else if (name === ':scheme' && scheme === undefined) scheme = value;
    else if (name === ':authority' && authority === undefined) authority = value;
    else if (name === ':path' && path === undefined) path = value;
    else return 'bad-request-line';
  }
  if (method === undefined || scheme === undefined || path === undefined) return 'bad-request-line';
  if (method === '' || !everyChar(method, tokenChar)) return 'bad-request-line';
  const form = formOf(method, path);
  if (form === undefined) return 'bad-target';
  if (foreignMethods.has(method)) return 'unknown-method';
  if (fields.length - at > limits.maxHeaders) return 'too-many-headers';

  const gathered = gather(fields, at);
  if (typeof gathered === 'string') return gathered;
  const host = judgeHost(scheme, authority, gathered.host);
  if (!host.ok) return host.reason;
  const framing = requestFraming(method, ending, gathered.length);
  if (typeof framing === 'string') return framing;
  return {
    method,
    target: path,
    form,
    version: '2',
    host: host.value,
    headers: gathered.cookies > 1 ? joinCookies(gathered.headers) : gathered.headers,
    framing,
    keepAlive: true,
    upgrade: undefined,
    expectContinue:
      gathered.expect !== '' && framing.kind !== 'none' && gathered.expect.toLowerCase() === '100-continue',
  };
}

/** Whether a field section begins a CONNECT request, which is about a connection and not a message. */
export function isConnectRequest(fields: readonly HeaderField[]): boolean {
  for (const { name, value } of fields) {
    if (name.charCodeAt(0) !== 0x3a) return false;
    if (name.length === 7 && name === ':method') return value === 'CONNECT';
  }
  return false;
}

/** Trailers hold no pseudo-header fields and nothing about the connection (RFC 9113, sections 8.1 and 8.2.2). */
export function areMalformed(trailers: readonly HeaderField[]): boolean {
  for (const { name } of trailers) if (name.charCodeAt(0) === 0x3a || isConnectionField(name)) return true;
  return false;
}

/** Problems of a message that is not even HTTP/2: its stream is reset with PROTOCOL_ERROR (RFC 9113, section 8.1.1). */
export function isMalformed(reason: HeadProblem | 'protected-header-in-connection'): boolean {
  switch (reason) {
    case 'bad-request-line':
    case 'bad-target':
    case 'bad-header-name':
    case 'bad-header-value':
    case 'bad-content-length':
    case 'several-content-lengths':
      return true;
    default:
      return false;
  }
}

/** Methods whose requests have no content here (RFC 9110, section 9.3); END_STREAM may still come later than the head. */
export function isWithoutContent(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'TRACE';
}

function formOf(method: string, path: string): TargetForm | undefined {
  if (path === '*') return method === 'OPTIONS' ? 'asterisk' : undefined;
  return path.charCodeAt(0) === 0x2f && everyChar(path, targetChar) ? 'origin' : undefined;
}

/** Keeps the regular fields and notes those that say something about the message. */
function gather(fields: readonly HeaderField[], from: number): Gathered | HeadProblem {
  const gathered: Gathered = { headers: [], host: undefined, length: undefined, expect: '', cookies: 0 };
  for (let at = from; at < fields.length; at += 1) {
    const field = fields[at]!;
    const problem = noteField(gathered, field.name, field.value);
    if (problem !== undefined) return problem;
    gathered.headers.push(field);
  }
  return gathered;
}

function noteField(gathered: Gathered, name: string, value: string): HeadProblem | undefined {
  switch (
    name.length // most names differ in length from all of these and cost one comparison
  ) {
    case 2:
      return name === 'te' && value.toLowerCase() !== 'trailers' ? 'bad-header-value' : undefined;
    case 4:
      if (name !== 'host') return undefined;
      if (gathered.host !== undefined) return 'several-hosts';
      gathered.host = value;
      return undefined;
    case 6:
      if (name === 'cookie') gathered.cookies += 1;
      else if (name === 'expect') gathered.expect = value;
      return undefined;
    case 14:
      if (name !== 'content-length') return undefined;
      if (gathered.length !== undefined) return 'several-content-lengths';
      gathered.length = value;
      return undefined;
    default:
      return isConnectionField(name) || name.charCodeAt(0) === 0x3a ? 'bad-header-name' : undefined;
  }
}

/** Fields about one connection, which HTTP/2 does not have (RFC 9113, section 8.2.2). */
function isConnectionField(name: string): boolean {
  switch (name.length) {
    case 7:
      return name === 'upgrade';
    case 10:
      return name === 'connection' || name === 'keep-alive';
    case 16:
      return name === 'proxy-connection';
    case 17:
      return name === 'transfer-encoding';
    default:
      return false;
  }
}

type JudgedHost = { readonly ok: true; readonly value: string } | { readonly ok: false; readonly reason: HeadProblem };

/** One name for whom the request is for, from `:authority`, or `Host` without it; both must agree (RFC 9113, section 8.3.1). */
function judgeHost(scheme: string, authority: string | undefined, host: string | undefined): JudgedHost {
  const impliedPort = scheme === 'https' ? ':443' : ':80';
  if (scheme !== 'https' && scheme !== 'http') return { ok: false, reason: 'bad-target' };
  const named = authority ?? host;
  if (named === undefined) return { ok: false, reason: 'missing-host' };
  if (!isAuthority(named)) return { ok: false, reason: 'bad-host' };
  if (host !== undefined && host !== named) {
    if (!isAuthority(host)) return { ok: false, reason: 'bad-host' };
    if (!hostMatches({ form: 'absolute', authority: named, impliedPort }, host)) {
      return { ok: false, reason: 'host-mismatch' };
    }
  }
  return { ok: true, value: named.toLowerCase() };
}

function requestFraming(method: string, ending: Ending, length: string | undefined): Framing | HeadProblem {
  const bytes = length === undefined ? undefined : readLength(length);
  if (length !== undefined && bytes === undefined) return 'bad-content-length';
  if (bytes !== undefined && bytes > 0 && isWithoutContent(method)) return 'unexpected-body';
  if (ending === 'with-head') {
    if (bytes === undefined) return noBody;
    return bytes === 0 ? emptyBody : 'bad-content-length';
  }
  if (bytes === undefined) return isWithoutContent(method) ? noBody : unknownLength;
  return bytes === 0 ? emptyBody : { kind: 'length', bytes };
}

/** Several cookie fields become one, for readers who know one only (RFC 9113, section 8.2.3). */
function joinCookies(headers: readonly HeaderField[]): HeaderField[] {
  const value = headers
    .filter(({ name }) => name === 'cookie')
    .map((cookie) => cookie.value)
    .join('; ');
  const out: HeaderField[] = [];
  let isJoined = false;
  for (const field of headers) {
    if (field.name !== 'cookie') out.push(field);
    else if (!isJoined) out.push({ name: 'cookie', rawName: field.rawName, value });
    isJoined ||= field.name === 'cookie';
  }
  return out;
}

/**
 * Judges the fields of a response to a request with this method (RFC 9113, section 8.3.2). Framing `length` 0 is also what
 * an answer has that ended with its head; `none` one that has no content by its status or its method.
 */
export function readResponseFields(
  fields: readonly HeaderField[],
  ending: Ending,
  requestMethod: string,
): ResponseHead | HeadProblem {
  const first = fields[0];
  const status = first?.name === ':status' ? readStatus(first.value) : undefined;
  if (status === undefined) return 'bad-status-line';
  const headers: HeaderField[] = [];
  let length: string | undefined;
  for (let at = 1; at < fields.length; at += 1) {
    const field = fields[at]!;
    const { name } = field;
    if (name.length === 14 && name === 'content-length') {
      if (length !== undefined) return 'several-content-lengths';
      length = field.value;
    } else if (name.charCodeAt(0) === 0x3a) return 'bad-status-line';
    else if (isConnectionField(name)) return 'bad-header-name';
    headers.push(field);
  }
  const framing = responseFraming(status, requestMethod, { ending, length });
  if (typeof framing === 'string') return framing;
  return {
    status,
    reason: STATUS_CODES[status] ?? '', // HTTP/2 has none, and some readers of HTTP/1.1 stumble over an empty one
    version: '2',
    headers,
    framing,
    keepAlive: true,
    upgrade: undefined,
    keepAliveTimeoutSeconds: undefined,
  };
}

/** `100` to `599`. */
function readStatus(text: string): number | undefined {
  if (text === '200') return 200;
  return /^[1-5][0-9][0-9]$/.test(text) ? Number(text) : undefined;
}

function responseFraming(
  status: number,
  requestMethod: string,
  said: { readonly ending: Ending; readonly length: string | undefined },
): Framing | HeadProblem {
  const bytes = said.length === undefined ? undefined : readLength(said.length);
  if (said.length !== undefined && bytes === undefined) return 'bad-content-length';
  if (status < 200) {
    if (said.ending === 'with-head') return 'bad-status-line'; // an informational answer is never the last word
    return (bytes ?? 0) === 0 ? noBody : 'unexpected-body';
  }
  if (status === 204) return (bytes ?? 0) === 0 ? noBody : 'unexpected-body';
  if (status === 304 || requestMethod === 'HEAD') return noBody;
  if (said.ending === 'with-head') return (bytes ?? 0) === 0 ? emptyBody : 'bad-content-length';
  if (bytes === undefined) return unknownLength;
  return bytes === 0 ? emptyBody : { kind: 'length', bytes };
}
