import type { ResponseHead } from '#agent/http/head.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import type { Forwarded } from '#agent/http/message.ts';
import { isTrailer } from '#agent/http/body.ts';
import { decisionName } from '#agent/http/problem.ts';
import { contentLength } from '#agent/http/own-fields.ts';
import { isReservedName } from '#agent/http/reserved.ts';
import { isHopByHop } from '#agent/http/write.ts';

/** How requests are worded for one receiver. */
export interface Wording {
  readonly scheme: 'http' | 'https';
  /** Added to each request; what came under the same names is left out. */
  readonly extraFields: readonly HeaderField[];
}

const schemes = { http: field(':scheme', 'http'), https: field(':scheme', 'https') };
const trailersWelcome = field('te', 'trailers');
const methods = new Map<string, HeaderField>(
  ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'].map((name) => [name, field(':method', name)]),
);
const statuses: (HeaderField | undefined)[] = [];

function field(name: string, value: string): HeaderField {
  return { name, rawName: name, value };
}

/**
 * A request that was judged, as the fields of HTTP/2 (RFC 9113, section 8.3.1): `Host` becomes `:authority`. `TE` is said
 * anew, and only where the caller said `trailers`: gRPC servers want it.
 */
export function requestFields(request: Forwarded, wording: Wording): readonly HeaderField[] {
  const known = request.writtenFields;
  if (known !== undefined && known.wording === wording) return known.fields;
  const fields = writeFields(request, wording);
  request.writtenFields = { wording, fields };
  return fields;
}

function writeFields(request: Forwarded, wording: Wording): HeaderField[] {
  const { head } = request;
  const { extraFields } = wording;
  const out = [
    methods.get(head.method) ?? field(':method', head.method),
    schemes[wording.scheme],
    field(':authority', head.host || 'localhost'), // HTTP/1.0 may name nobody
    field(':path', request.target),
  ];
  let isGrpcCall = false;
  for (const header of request.headers) {
    const { name } = header;
    if (name.length === 4 && name === 'host') continue;
    if (name.length === 12 && name === 'content-type') isGrpcCall = header.value.startsWith('application/grpc');
    if (extraFields.length > 0 && isAmong(extraFields, name)) continue;
    out.push(header);
  }
  if (head.framing.kind === 'length') out.push(contentLength(head.framing.bytes));
  if (isGrpcCall && takesTrailers(head.headers)) out.push(trailersWelcome);
  for (const extra of extraFields) out.push(extra);
  return out;
}

function isAmong(fields: readonly HeaderField[], name: string): boolean {
  for (const one of fields) if (one.name === name) return true;
  return false;
}

function takesTrailers(headers: readonly HeaderField[]): boolean {
  for (const { name, value } of headers) {
    if (name.length === 2 && name === 'te' && value.toLowerCase().includes('trailers')) return true;
  }
  return false;
}

/** A response head as the fields of HTTP/2; `headers` are end-to-end, without framing. */
export function responseFields(
  head: ResponseHead,
  headers: readonly HeaderField[],
  requestMethod: string,
): HeaderField[] {
  const out = [statusField(head.status)];
  for (const header of headers) out.push(header);
  const length = lengthField(head, requestMethod);
  if (length !== undefined) out.push(length);
  return out;
}

export function statusField(status: number): HeaderField {
  return (statuses[status] ??= field(':status', String(status)));
}

function lengthField(head: ResponseHead, requestMethod: string): HeaderField | undefined {
  const { framing } = head;
  if (framing.kind === 'length') {
    // An HTTP/2 answer that ended with its head has said no length of its own, perhaps.
    return head.version === '2' && framing.bytes === 0 ? ownLength(head) : contentLength(framing.bytes);
  }
  // The length that the answer to a GET would have had: the answer to HEAD and a 304 say it without having content.
  const isDescribed = framing.kind === 'none' && (requestMethod === 'HEAD' || head.status === 304);
  return isDescribed ? ownLength(head) : undefined;
}

function ownLength({ headers }: ResponseHead): HeaderField | undefined {
  for (const header of headers) if (header.name.length === 14 && header.name === 'content-length') return header;
  return undefined;
}

/** The fields of an HTTP/2 answer without framing and without those for proxies; the same list where there are none. */
export function withoutFraming(headers: readonly HeaderField[]): readonly HeaderField[] {
  for (const { name } of headers) if (isHopByHop(name)) return headers.filter((header) => !isHopByHop(header.name));
  return headers;
}

/** What may come after a body (RFC 9110, section 6.5.1), besides what the two hops keep between them. */
export function passableTrailers(trailers: readonly HeaderField[]): readonly HeaderField[] {
  for (const { name } of trailers) if (!isPassable(name)) return trailers.filter((trailer) => isPassable(trailer.name));
  return trailers;
}

function isPassable(name: string): boolean {
  return isGrpcTrailer(name) || isTrailer(name);
}

function isGrpcTrailer(name: string): boolean {
  return name === 'grpc-status' || name === 'grpc-message' || name === 'grpc-status-details-bin';
}

/**
 * The same for the answer to a gRPC call: its trailers carry metadata of the app's own choice, under whatever name; only
 * framing and names of ours are left out. Another agent's decision passes: an app's own was removed by the agent beside it.
 */
export function passableMetadata(trailers: readonly HeaderField[]): readonly HeaderField[] {
  for (const { name } of trailers) if (!isMetadata(name)) return trailers.filter((trailer) => isMetadata(trailer.name));
  return trailers;
}

function isMetadata(name: string): boolean {
  if (isGrpcTrailer(name) || name === decisionName) return true;
  return !isHopByHop(name) && name !== 'host' && !isReservedName(name);
}
