import type { Answer } from '#agent/http/answers.ts';
import { headerField, type HeaderField } from '#agent/http/header-field.ts';
import { decisionHeader } from '#agent/http/problem.ts';
import { grpcDetails } from './grpc-details.ts';

/** `application/grpc`, also with `+proto` and the like; not gRPC-Web, which is ordinary HTTP. */
function isGrpcContent(contentType: string): boolean {
  if (contentType.charCodeAt(12) !== 0x67 || !contentType.startsWith('application/grpc')) return false;
  const next = contentType.charCodeAt(16);
  return contentType.length === 16 || next === 0x2b || next === 0x3b;
}

/** The content type among these fields is gRPC's. */
export function isGrpc(fields: readonly HeaderField[]): boolean {
  for (const { name, value } of fields) {
    if (name.length === 12 && name === 'content-type') return isGrpcContent(value);
  }
  return false;
}

/**
 * The gRPC status that says best what an HTTP status of ours means. Where we know more than gRPC's own mapping for foreign
 * proxies does (it has INTERNAL for 400 and UNAVAILABLE for 429 and 504), we say more.
 */
export function grpcStatusOf(status: number): number {
  switch (status) {
    case 400:
    case 413:
    case 417:
    case 421:
    case 431:
      return 3; // INVALID_ARGUMENT
    case 401:
      return 16; // UNAUTHENTICATED
    case 403:
      return 7; // PERMISSION_DENIED
    case 404:
    case 405:
    case 501:
      return 12; // UNIMPLEMENTED
    case 408:
    case 504:
      return 4; // DEADLINE_EXCEEDED
    case 429:
      return 8; // RESOURCE_EXHAUSTED
    case 500:
      return 13; // INTERNAL
    case 502:
    case 503:
      return 14; // UNAVAILABLE
    default:
      return 2; // UNKNOWN
  }
}

/** The HTTP status that another agent stood for when it answered with this gRPC status. */
export function httpStatusOf(grpcStatus: string): number {
  switch (grpcStatus) {
    case '3':
      return 400;
    case '4':
      return 504;
    case '7':
      return 403;
    case '8':
      return 429;
    case '12':
      return 501;
    case '13':
      return 500;
    case '16':
      return 401;
    default:
      return 503;
  }
}

const status200: HeaderField = { name: ':status', rawName: ':status', value: '200' };
const contentType = headerField('content-type', 'application/grpc');

/** An answer of ours as gRPC has it: one field section that is head and trailers at once ("Trailers-Only"). */
export function trailersOnly(answer: Answer): HeaderField[] {
  return [status200, contentType, ...grpcTrailers(answer)];
}

/** The end of a call whose answer has begun. The decision's name stands where gRPC clients look for details, too. */
export function grpcTrailers({ status, title, decisionId }: Answer): HeaderField[] {
  const code = grpcStatusOf(status);
  const fields = [headerField('grpc-status', String(code)), headerField('grpc-message', encodeMessage(title))];
  if (decisionId === undefined) return fields;
  const details = grpcDetails({ code, message: title, decisionId });
  return [...fields, headerField(decisionHeader, decisionId), headerField('grpc-status-details-bin', details)];
}

/** The status among the fields that end a gRPC call; undefined where it is none of gRPC's. */
export function grpcStatusIn(fields: readonly HeaderField[]): number | undefined {
  for (const { name, value } of fields) {
    if (name.length === 11 && name === 'grpc-status')
      return /^(?:[0-9]|1[0-6])$/.test(value) ? Number(value) : undefined;
  }
  return undefined;
}

/** UTF-8 in which everything but printable ASCII, and `%`, is percent-encoded (gRPC over HTTP/2, "Status-Message"). */
export function encodeMessage(text: string): string {
  return text.replace(/[^\x20-\x24\x26-\x7e]+/gu, (run) => {
    let encoded = '';
    for (const byte of Buffer.from(run, 'utf8')) encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    return encoded;
  });
}

/** What the fields of a gRPC call say about the call itself. */
export type GrpcCall =
  /** `timeoutMs`: as the caller set it, Infinity where it did not. */
  { readonly ok: true; readonly timeoutMs: number } | { readonly ok: false };

const noTimeout: GrpcCall = Object.freeze({ ok: true, timeoutMs: Infinity });
const refusedCall: GrpcCall = Object.freeze({ ok: false });

/**
 * Judges the reserved fields of a call: at most one timeout of 1 to 8 digits and a unit, and nothing that only answers
 * have, so that no two readers take them differently. Other names stay the app's business.
 */
export function readGrpcCall(headers: readonly HeaderField[]): GrpcCall {
  let timeoutMs = Infinity;
  for (const { name, value } of headers) {
    if (name.charCodeAt(0) !== 0x67 || !name.startsWith('grpc-')) continue;
    if (name === 'grpc-status' || name === 'grpc-message' || name === 'grpc-status-details-bin') return refusedCall;
    if (name !== 'grpc-timeout') continue;
    const ms = readTimeout(value);
    if (ms === undefined || timeoutMs !== Infinity) return refusedCall;
    timeoutMs = ms;
  }
  return timeoutMs === Infinity ? noTimeout : { ok: true, timeoutMs };
}

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds of `grpc-timeout`, such as `250m`: at most 8 digits and one unit. */
function readTimeout(value: string): number | undefined {
  const unit = unitMs[value.charAt(value.length - 1)];
  if (unit === undefined || value.length < 2 || value.length > 9) return undefined;
  const digits = value.slice(0, -1);
  return /^[0-9]+$/.test(digits) ? Number(digits) * unit : undefined;
}
