import type { H2Stream } from '#agent/h2/types.ts';
import { problemAnswer, type Answer } from '#agent/http/answers.ts';
import { headerField, type HeaderField } from '#agent/http/header-field.ts';
import { contentLength } from '#agent/http/own-fields.ts';
import { decisionHeader, decisionName, problemContent } from '#agent/http/problem.ts';
import { httpStatusOf, isGrpc, trailersOnly } from './grpc.ts';
import { statusField } from './h2-fields.ts';

/** How the caller reads answers: a gRPC client its status, others a document, HEAD the document's head. */
export type Reader = 'grpc' | 'content' | 'head-only';

/** How whoever sent this request reads answers. */
export function readerOf(fields: readonly HeaderField[]): Reader {
  if (isGrpc(fields)) return 'grpc';
  return fieldValue(fields, ':method') === 'HEAD' ? 'head-only' : 'content';
}

const problemType = headerField('content-type', 'application/problem+json');
const noStore = headerField('cache-control', 'no-store');

/** Sends an answer of ours, whole. */
export function sendAnswer(stream: H2Stream, answer: Answer, reader: Reader): void {
  if (reader === 'grpc') return stream.headers(trailersOnly(answer), true);
  const content = Buffer.from(problemContent(answer), 'utf8');
  const fields = [statusField(answer.status)];
  if (answer.decisionId !== undefined) fields.push(headerField(decisionHeader, answer.decisionId));
  if (answer.challenge !== undefined) fields.push(headerField('WWW-Authenticate', answer.challenge));
  fields.push(problemType, contentLength(content.length), noStore);
  stream.headers(fields, reader === 'head-only');
  if (reader === 'head-only') return;
  stream.data(content);
  stream.end();
}

/** An answer that names a decision comes from an agent: an app's own is removed where it is read first. */
export function decisionOf(headers: readonly HeaderField[]): string | undefined {
  return fieldValue(headers, decisionName);
}

/**
 * What an agent's answer to a gRPC call stands for: the HTTP status it meant, and, where it came as a document that no
 * gRPC client reads, what to say instead.
 */
export function agentAnswer(
  status: number,
  headers: readonly HeaderField[],
): { readonly status: number; readonly instead: Answer | undefined } {
  if (isGrpc(headers)) {
    const said = fieldValue(headers, 'grpc-status');
    return { status: status === 200 && said !== undefined ? httpStatusOf(said) : status, instead: undefined };
  }
  const title = `The mesh answered the call with HTTP status ${status}`;
  return { status, instead: problemAnswer(status, title, decisionOf(headers)) };
}

function fieldValue(headers: readonly HeaderField[], wanted: string): string | undefined {
  const { length } = wanted;
  for (const { name, value } of headers) if (name.length === length && name === wanted) return value;
  return undefined;
}
