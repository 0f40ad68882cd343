import { readRequestHead } from '#agent/http/head.ts';
import type { ExchangeProblem, Forwarded, RequestSink, ResponseSink, Upstream } from '#agent/http/message.ts';
import { stageLimits } from './stage-app.ts';

export interface Asked {
  readonly status: number;
  readonly body: string;
  /** Instead of an answer. */
  readonly failed?: ExchangeProblem | { readonly unreachable: string };
}

/** One exchange, as whoever serves a caller begins it. */
export interface Asking {
  readonly sink: RequestSink;
  readonly done: Promise<Asked>;
  /** What came so far. */
  readonly body: () => string;
}

/** A GET, or with a body a POST, for `path`. */
export function ask(upstream: Upstream<string>, path = '/', body?: Buffer): Promise<Asked> {
  const asking = begin(upstream, path, body?.length);
  if (body) asking.sink.data(body);
  asking.sink.end([]);
  return asking.done;
}

/** The same with the body, of `bodyBytes`, left to the test. */
export function begin(upstream: Upstream<string>, path = '/', bodyBytes?: number): Asking {
  const settled = Promise.withResolvers<Asked>();
  let status = 0;
  let text = '';
  const response: ResponseSink<string> = {
    informational: () => undefined,
    head: (head) => {
      status = head.status;
    },
    data: (bytes) => {
      text += bytes.toString('latin1');
    },
    end: () => settled.resolve({ status, body: text }),
    upgraded: () => settled.reject(new Error('an upgrade that nobody asked for')),
    failed: (failed) => settled.resolve({ status: 0, body: text, failed }),
    onRequestDrain: () => undefined,
  };
  const sink = upstream.start(requestFor(path, bodyBytes), response);
  return { sink, done: settled.promise, body: () => text };
}

export function requestFor(path: string, bodyBytes?: number): Forwarded {
  const length = bodyBytes === undefined ? '' : `Content-Length: ${bodyBytes}\r\n`;
  const method = bodyBytes === undefined ? 'GET' : 'POST';
  const bytes = Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: prices\r\n${length}\r\n`);
  const read = readRequestHead(bytes, stageLimits.head);
  if (read.kind !== 'complete') throw new Error(`not a request: ${read.kind}`);
  const { head } = read;
  const headers = head.headers.filter(({ name }) => name !== 'content-length');
  return { head, target: path, headers, filterFields: (fields) => fields, written: undefined };
}
