import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createStage, okay } from './h1-stage.ts';
import { readAnswer, readRequests } from './node-reader.ts';

/** A message as it is meant. */
interface Message {
  readonly method: string;
  readonly path: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly body: Body;
  readonly status: number;
  readonly answer: Body;
}

type Body = { readonly kind: 'none' } | { readonly kind: 'length'; readonly data: string } | ChunkedBody;

interface ChunkedBody {
  readonly kind: 'chunked';
  readonly chunks: readonly string[];
  readonly extension: string;
  readonly sum: string | undefined;
}

const data = fc.string({
  minLength: 0,
  maxLength: 300,
  unit: fc.constantFrom('a', '\r', '\n', '0', ' ', '\xff', 'GET / HTTP/1.1\r\n\r\n'),
});
const chunked = fc.record({
  kind: fc.constant('chunked' as const),
  chunks: fc.array(
    data.filter((text) => text !== ''),
    { maxLength: 5 },
  ),
  extension: fc.constantFrom('', ';a', ';a=b', ';a="b;\\"c"'),
  sum: fc.option(fc.constantFrom('1', 'x y'), { nil: undefined }),
});
const body: fc.Arbitrary<Body> = fc.oneof(
  fc.constant({ kind: 'none' as const }),
  data.map((text) => ({ kind: 'length' as const, data: text })),
  chunked,
);
const fields = fc.uniqueArray(
  fc.tuple(
    fc.constantFrom('Accept', 'x-a', 'X-B', 'Cookie', 'user-agent', 'If-Match', 'Via'),
    fc.constantFrom('*/*', 'a, b', '"', 'a=b; c=d', '\xe4', '\t', '', 'x\ty'),
  ),
  { maxLength: 6, selector: ([name]) => name },
);
const message: fc.Arbitrary<Message> = fc
  .record({
    method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'),
    path: fc.constantFrom('/', '/a/b?c=d', '/%2e%2e/', '//', '/a;b=c'),
    fields,
    body,
    status: fc.constantFrom(200, 201, 404, 503),
    answer: body,
  })
  .map((made) =>
    made.method === 'GET' || made.method === 'HEAD' ? { ...made, body: { kind: 'none' as const } } : made,
  );

function bodyText(framed: Body): string {
  if (framed.kind === 'none') return '\r\n';
  if (framed.kind === 'length') return `Content-Length: ${framed.data.length}\r\n\r\n${framed.data}`;
  const chunks = framed.chunks
    .map((chunk) => `${chunk.length.toString(16)}${framed.extension}\r\n${chunk}\r\n`)
    .join('');
  const trailer = framed.sum === undefined ? '' : `Sum: ${framed.sum}\r\n`;
  return `Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n${trailer}\r\n`;
}

const lines = (all: Message['fields']): string => all.map(([name, value]) => `${name}: ${value}\r\n`).join('');

function requestText({ method, path, fields: all, body: framed }: Message): string {
  return `${method} ${path} HTTP/1.1\r\nHost: a\r\n${lines(all)}${bodyText(framed)}`;
}

function answerText({ method, status, fields: all, answer }: Message): string {
  const framed = answer.kind === 'none' ? ({ kind: 'length', data: '' } as const) : answer;
  const text = `HTTP/1.1 ${status} Some reason\r\n${lines(all)}${bodyText(framed)}`;
  return method === 'HEAD' ? text.slice(0, text.indexOf('\r\n\r\n') + 4) : text;
}

const content = (framed: Body): string =>
  framed.kind === 'none' ? '' : framed.kind === 'length' ? framed.data : framed.chunks.join('');
const trailers = (framed: Body): [string, string][] =>
  framed.kind === 'chunked' && framed.sum !== undefined ? [['sum', framed.sum]] : [];

/** End-to-end fields as they must arrive: without framing and Host. */
const arrived = (all: readonly (readonly [string, string])[]) =>
  all.filter(([name]) => !['content-length', 'transfer-encoding', 'host'].includes(name));
const meant = (all: Message['fields']) => all.map(([name, value]) => [name.toLowerCase(), value.trim()]);

/** The text in pieces, each written by itself. */
function say(write: (piece: string) => void, text: string, cuts: readonly number[]): void {
  const edges = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
  let at = 0;
  for (const edge of [...edges, text.length]) {
    if (edge > at) write(text.slice(at, edge));
    at = edge;
  }
}

test('whatever is said, however its bytes are cut, node reads the same messages behind us (A50, A62)', async () => {
  const cuts = fc.array(fc.nat(5_000), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 5 }),
      cuts,
      fc.boolean(),
      async (all, at, pipelined) => {
        const stage = createStage();
        if (pipelined) say(stage.ask, all.map(requestText).join(''), at);
        let sent = '';
        for (const one of all) {
          if (!pipelined) say(stage.ask, requestText(one), at);
          sent += stage.app.take();
          say(stage.answer, answerText(one), at);
          const answer = await readAnswer(Buffer.from(stage.caller.take(), 'latin1'), one.method);
          expect(answer).toMatchObject({
            line: `${one.status} Some reason`,
            body: one.method === 'HEAD' ? '' : content(one.answer),
            trailers: one.method === 'HEAD' ? [] : trailers(one.answer),
          });
          if (typeof answer === 'object') expect(arrived(answer.headers)).toEqual(meant(one.fields));
        }
        const { requests, problem } = await readRequests(Buffer.from(sent, 'latin1'));
        expect(problem).toBeUndefined();
        expect(requests.map((read) => ({ ...read, headers: arrived(read.headers) }))).toEqual(
          all.map((one) => ({
            line: `${one.method} ${one.path} HTTP/1.1`,
            headers: meant(one.fields),
            body: content(one.body),
            trailers: trailers(one.body),
          })),
        );
        expect(stage.apps).toHaveLength(1);
        expect(stage.ends).toHaveLength(all.length);
      },
    ),
    { numRuns: 100 },
  );
});

test('nearly right requests never make those behind us read anything else than we did (A50)', async () => {
  const pieces = fc.constantFrom(
    ...['GET / HTTP/1.1\r\n', 'POST /a HTTP/1.1\r\n', 'Host: a\r\n', 'Content-Length: 3\r\n', 'Content-Length: 0\r\n'],
    ...[
      'Transfer-Encoding: chunked\r\n',
      '\r\n',
      '\r\n',
      '3\r\nabc\r\n',
      '0\r\n\r\n',
      'abc',
      '\r',
      '\n',
      ' ',
      '\t',
      '\0',
      ':',
    ],
    ...[
      'X: y\r\n',
      'Connection: close\r\n',
      'Connection: content-length\r\n',
      'Expect: 100-continue\r\n',
      ';',
      ',',
      '_',
    ],
  );
  const whole = fc.constantFrom(
    'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n',
    'POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc',
    'POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  );
  const text = fc.array(fc.oneof({ weight: 3, arbitrary: pieces }, { weight: 2, arbitrary: whole }), { maxLength: 12 });
  const slips = fc.array(fc.tuple(fc.nat(400), fc.constantFrom('', '\r', '\n', ' ', 'x', '\0')), { maxLength: 2 });
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(text, slips, async (parts, changes) => {
      let said = parts.join('');
      for (const [at, put] of changes) said = said.slice(0, at) + put + said.slice(at + 1);
      const stage = createStage();
      stage.ask(said);
      let sent = '';
      for (let heard = 'x'; heard !== ''; sent += heard) {
        heard = stage.apps.at(-1)?.take() ?? '';
        const hasWhole = stage.ends.length < (await readRequests(Buffer.from(sent + heard, 'latin1'))).requests.length;
        if (hasWhole) stage.answer(okay());
      }
      const { requests, problem } = await readRequests(Buffer.from(sent, 'latin1'));
      if (problem === 'HPE_INVALID_METHOD') return; // node knows registered methods only, and refuses
      expect([undefined, 'incomplete']).toContain(problem);
      const answered = stage.ends.filter(({ answeredBy }) => answeredBy === 'app');
      expect(requests).toHaveLength(answered.length);
      accepted += requests.length;
    }),
    { numRuns: 300 },
  );
  expect(accepted).toBeGreaterThan(100);
});
