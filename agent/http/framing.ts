import { everyChar, tokenChar, type HeaderField } from './header-field.ts';

/** Where a message's body ends (RFC 9112, section 6.3). `bytes` is at most 2^53 − 1. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until-close' };

export type FramingProblem =
  | 'bad-content-length'
  | 'several-content-lengths'
  | 'bad-transfer-encoding'
  | 'transfer-encoding-on-http10'
  | 'length-and-transfer-encoding'
  | 'unexpected-body';

/** `2`: read from HTTP/2 fields, where `chunked` framing means that the length is not known. */
export type Version = '1.0' | '1.1' | '2';

/** What the fields of one head say about the connection and the body, gathered in one pass and not yet judged. */
export interface MessageFacts {
  hosts: number;
  host: string;
  lengths: number;
  length: string;
  codings: number;
  coding: string;
  saysClose: boolean;
  saysKeepAlive: boolean;
  saysUpgrade: boolean;
  upgrades: number;
  upgrade: string;
  expect: string;
  keepAlive: string;
}

const noBody: Framing = Object.freeze({ kind: 'none' });
const emptyBody: Framing = Object.freeze({ kind: 'length', bytes: 0 });
const chunkedBody: Framing = Object.freeze({ kind: 'chunked' });
const bodyUntilClose: Framing = Object.freeze({ kind: 'until-close' });

export function gatherFacts(fields: readonly HeaderField[]): MessageFacts {
  const facts: MessageFacts = {
    hosts: 0,
    host: '',
    lengths: 0,
    length: '',
    codings: 0,
    coding: '',
    saysClose: false,
    saysKeepAlive: false,
    saysUpgrade: false,
    upgrades: 0,
    upgrade: '',
    expect: '',
    keepAlive: '',
  };
  for (const field of fields) gatherFact(facts, field);
  return facts;
}

function gatherFact(facts: MessageFacts, { name, value }: HeaderField): void {
  switch (
    name.length // most names differ in length from all of these and cost one comparison
  ) {
    case 4:
      if (name === 'host') {
        facts.hosts += 1;
        facts.host = value;
      }
      break;
    case 6:
      if (name === 'expect') facts.expect = value;
      break;
    case 7:
      if (name === 'upgrade') {
        facts.upgrades += 1;
        facts.upgrade = value;
      }
      break;
    case 10:
      if (name === 'connection') gatherConnection(facts, value);
      else if (name === 'keep-alive') facts.keepAlive = value;
      break;
    case 14:
      if (name === 'content-length') {
        facts.lengths += 1;
        facts.length = value;
      }
      break;
    case 17:
      if (name === 'transfer-encoding') {
        facts.codings += 1;
        facts.coding = value;
      }
      break;
    default:
  }
}

function gatherConnection(facts: MessageFacts, value: string): void {
  for (const option of listOf(value)) {
    if (option === 'close') facts.saysClose = true;
    else if (option === 'keep-alive') facts.saysKeepAlive = true;
    else if (option === 'upgrade') facts.saysUpgrade = true;
  }
}

/** The members of a comma-separated list in lower case; empty ones are skipped (RFC 9110, section 5.6.1). */
export function listOf(value: string): string[] {
  const lower = value.toLowerCase();
  if (!lower.includes(',')) return lower === '' ? [] : [lower];
  return lower
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '');
}

/**
 * How a request's body is framed. Refuses what two readers could read differently (RFC 9112, sections 6.1 to 6.3): both
 * framings at once, repeated or odd lengths, any transfer coding but `chunked`; also content where none is expected:
 * GET, HEAD, CONNECT and TRACE (RFC 9110, section 9.3).
 */
export function requestFraming(method: string, version: Version, facts: MessageFacts): Framing | FramingProblem {
  if (facts.lengths === 0 && facts.codings === 0) return noBody;
  const framing = declaredFraming(version, facts);
  if (typeof framing === 'string') return framing;
  if (method === 'CONNECT' || method === 'TRACE') return 'unexpected-body';
  if ((method === 'GET' || method === 'HEAD') && framing !== emptyBody) return 'unexpected-body';
  return framing;
}

/**
 * How the body of a response to `requestMethod` is framed (RFC 9112, section 6.3). Refuses besides: a transfer coding on
 * 1xx, 204 and 304, a length other than 0 on 1xx and 204 (RFC 9110, section 8.6).
 */
export function responseFraming(
  response: { readonly status: number; readonly version: Version },
  requestMethod: string,
  facts: MessageFacts,
): Framing | FramingProblem {
  const { status, version } = response;
  const isBodiless = status < 200 || status === 204;
  if (facts.lengths === 0 && facts.codings === 0) {
    return isBodiless || status === 304 || isWithoutBody(requestMethod, status) ? noBody : bodyUntilClose;
  }
  const framing = declaredFraming(version, facts);
  if (typeof framing === 'string') return framing;
  if (framing === chunkedBody && (isBodiless || status === 304)) return 'unexpected-body';
  if (isBodiless) return framing === emptyBody ? noBody : 'unexpected-body';
  return status === 304 || isWithoutBody(requestMethod, status) ? noBody : framing;
}

function isWithoutBody(requestMethod: string, status: number): boolean {
  return requestMethod === 'HEAD' || (requestMethod === 'CONNECT' && status < 300);
}

function declaredFraming(version: Version, facts: MessageFacts): Framing | FramingProblem {
  if (facts.codings > 0) {
    if (facts.lengths > 0) return 'length-and-transfer-encoding';
    if (version === '1.0') return 'transfer-encoding-on-http10';
    const isChunked = facts.codings === 1 && (facts.coding === 'chunked' || facts.coding.toLowerCase() === 'chunked');
    return isChunked ? chunkedBody : 'bad-transfer-encoding';
  }
  if (facts.lengths > 1) return 'several-content-lengths';
  const bytes = readLength(facts.length);
  if (bytes === undefined) return 'bad-content-length';
  return bytes === 0 ? emptyBody : { kind: 'length', bytes };
}

/** `1*DIGIT`, at most 16 digits and 2^53 − 1. */
export function readLength(text: string): number | undefined {
  if (text.length === 0 || text.length > 16) return undefined;
  let bytes = 0;
  for (let at = 0; at < text.length; at += 1) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    bytes = bytes * 10 + digit;
  }
  return bytes <= Number.MAX_SAFE_INTEGER ? bytes : undefined;
}

/** Whether the connection may carry another message (RFC 9112, section 9.3). */
export function isPersistent(version: Version, facts: MessageFacts): boolean {
  if (facts.saysClose) return false;
  return version === '1.1' || facts.saysKeepAlive;
}

/**
 * The one protocol the message asks to change to, in lower case. Not on 1.0, and not where the field is repeated or a list:
 * an upgrade may always be ignored (RFC 9110, section 7.8).
 */
export function upgradeOf(version: Version, facts: MessageFacts): string | undefined {
  if (!facts.saysUpgrade || facts.upgrades !== 1 || version === '1.0') return undefined;
  const protocol = facts.upgrade.toLowerCase();
  const [name = '', revision = '1', ...more] = protocol.split('/');
  const isProtocol = name !== '' && revision !== '' && more.length === 0;
  return isProtocol && everyChar(name, tokenChar) && everyChar(revision, tokenChar) ? protocol : undefined;
}
