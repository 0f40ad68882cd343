import { ok, refuse, type Result } from '#runtime/result.ts';
import { listOf } from './framing.ts';
import { foldedName, type HeaderField } from './header-field.ts';
import { isReservedName } from './reserved.ts';

/** A response head as HTTP/1.1, in Latin-1. Fields hold no line breaks by construction (`HeaderField`). */
export function writeResponseHead(
  line: { readonly status: number; readonly reason: string },
  headers: readonly HeaderField[],
): string {
  return `HTTP/1.1 ${line.status} ${line.reason}\r\n${writeFieldLines(headers)}\r\n`;
}

/** Each field on its line, in its own spelling; for heads and trailers. */
export function writeFieldLines(fields: readonly HeaderField[]): string {
  let lines = '';
  for (const { rawName, value } of fields) lines += `${rawName}: ${value}\r\n`;
  return lines;
}

/** About one connection only (RFC 9110, section 7.6.1), or a framing field: those are written anew. */
export function isHopByHop(name: string): boolean {
  switch (
    name.length // cheaper than a set: the names are fresh strings without a hash
  ) {
    case 2:
      return name === 'te';
    case 7:
      return name === 'upgrade';
    case 10:
      return name === 'connection' || name === 'keep-alive';
    case 14:
      return name === 'content-length';
    case 16:
      return name === 'proxy-connection';
    case 17:
      return name === 'transfer-encoding';
    case 18:
      return name === 'proxy-authenticate';
    case 19:
      return name === 'proxy-authorization';
    default:
      return false;
  }
}

/**
 * Names that no `Connection` field may list: removing them on a caller's word would change whom the request is from,
 * whom it is for, how long it is or what it says (RFC 9110, section 7.6.1: not for fields meant for all recipients).
 */
const protectedNames = new Set([
  'authorization',
  'cache-control',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'cookie',
  'date',
  'dpop',
  'expect',
  'forwarded',
  'host',
  'set-cookie',
  'signature',
  'signature-input',
  'traceparent',
  'tracestate',
  'transfer-encoding',
  'txn-token',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]);

/**
 * What may go on to the next hop: without hop-by-hop fields, those that `Connection` lists, and `Content-Length`; the
 * caller adds its own framing and identity after this.
 */
export function endToEndHeaders(
  headers: readonly HeaderField[],
): Result<HeaderField[], 'protected-header-in-connection'> {
  let listed: Set<string> | undefined;
  for (const { name, value } of headers) {
    if (name !== 'connection') continue;
    for (const option of listOf(value)) {
      if (option === 'close' || option === 'keep-alive' || option === 'upgrade') continue;
      if (isReservedName(option) || protectedNames.has(foldedName(option))) {
        return refuse('protected-header-in-connection');
      }
      listed ??= new Set();
      listed.add(option);
    }
  }
  const kept: HeaderField[] = [];
  for (const field of headers) {
    if (!isHopByHop(field.name) && !listed?.has(field.name)) kept.push(field);
  }
  return ok(kept);
}
