import type { Answer } from '#agent/http/answers.ts';
import { headerField, type HeaderField } from '#agent/http/header-field.ts';
import type { ResponseHead } from '#agent/http/head.ts';
import type { Forwarded, RequestSink, ResponseSink, Upstream } from '#agent/http/message.ts';
import { contentLength } from '#agent/http/own-fields.ts';
import { decisionHeader, problemContent, reasonPhrase } from '#agent/http/problem.ts';

const problemType = headerField('Content-Type', 'application/problem+json');
const noStore = headerField('Cache-Control', 'no-store');

/**
 * Answers a request as if an upstream had: the caller's connection lives on. For refusals that come in numbers, each of
 * which would otherwise cost a new handshake.
 */
export function refusingUpstream(answer: Answer, extra: readonly HeaderField[]): Upstream<never> {
  return {
    start(request, response) {
      refuseOne(request, response, { answer, extra });
      return deaf;
    },
    close: () => undefined,
  };
}

function refuseOne(
  { head: { method } }: Forwarded,
  response: ResponseSink<never>,
  { answer, extra }: { readonly answer: Answer; readonly extra: readonly HeaderField[] },
): void {
  const content = Buffer.from(problemContent(answer), 'utf8');
  const headers = [...extra, problemType, noStore];
  if (answer.decisionId !== undefined) headers.push(headerField(decisionHeader, answer.decisionId));
  const isHead = method === 'HEAD';
  const head: ResponseHead = {
    status: answer.status,
    reason: reasonPhrase(answer.status),
    version: '1.1',
    headers: [...headers, contentLength(content.length)],
    framing: isHead ? { kind: 'none' } : { kind: 'length', bytes: content.length },
    keepAlive: true,
    upgrade: undefined,
    keepAliveTimeoutSeconds: undefined,
  };
  response.head(head, headers);
  if (!isHead) response.data(content);
  response.end([]);
}

/** What is still said of a request that was answered. */
const deaf: RequestSink = {
  data: () => true,
  end: () => undefined,
  abort: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
};
