import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AnswerReader } from '#bench/load/http-answer.ts';

const answer = (body: string, fields = ''): string =>
  `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;

describe('answers', () => {
  test('are counted however they are cut', () => {
    const bytes = Buffer.from(answer('hello') + answer('hello') + answer('hello again', 'server: a\r\n'));
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 6 }), (cuts) => {
        const reader = new AnswerReader();
        let [answers, body] = [0, 0];
        const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
        for (const [at, end] of edges.slice(1).entries()) {
          body += reader.take(bytes.subarray(edges[at], end), () => (answers += 1));
        }
        expect([answers, body]).toEqual([3, 'hellohellohello again'.length]);
      }),
    );
  });

  test.each([
    ['an error', 'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 1\r\n\r\nx'],
    ['an answer without length', 'HTTP/1.1 200 OK\r\n\r\n'],
    ['an empty answer', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'],
  ])('%s is a failure', (_, text) => {
    expect(() => new AnswerReader().take(Buffer.from(text), () => undefined)).toThrow(
      'not the answer that was expected',
    );
  });
});
