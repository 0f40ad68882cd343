import { expect, test } from 'vitest';
import type { Forwarded, RequestSink, ResponseSink, Upstream } from '#agent/http/message.ts';
import { readRequestHead } from '#agent/http/head.ts';
import { OwnApp } from '#agent/inbound/own-app.ts';
import type { AppProblem } from '#agent/inbound/report.ts';

const upgrade =
  'Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

function requestWith(fields: string): Forwarded {
  const read = readRequestHead(Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`), {
    maxBytes: 1_000,
    maxHeaders: 10,
  });
  if (read.kind !== 'complete') throw new Error(read.kind);
  return { head: read.head, target: '/', headers: [], filterFields: (all) => all };
}

test.each([
  ['nothing known', undefined, '', 'http'],
  ['an app of HTTP/1.1', 'http', '', 'http'],
  ['an app of HTTP/2', 'http2', '', 'http2'],
  ['an app of HTTP/2 that may have WebSockets in HTTP/1.1', 'http2', upgrade, 'http'],
] as const)('%s: asked in what it speaks', (_what, known, fields, expected) => {
  const asked: string[] = [];
  const upstream = (name: string): Upstream<AppProblem> => ({
    start: () => (asked.push(name), {} as RequestSink),
    close: () => undefined,
  });
  const spoken = new Map(known === undefined ? [] : [[7002, known]]);
  const app = new OwnApp({ port: 7002, spoken, http: upstream('http'), http2: () => upstream('http2') });
  app.start(requestWith(fields), {} as ResponseSink<AppProblem>);
  expect(asked).toEqual([expected]);
});
