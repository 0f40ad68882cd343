import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BodyReader, type BodyProblem } from '#agent/http/body.ts';
import { readRequestHead, readResponseHead, type HeadReading } from '#agent/http/head.ts';

const headLimits = { maxBytes: 120, maxHeaders: 6 };
const bodyLimits = { maxTrailerBytes: 60, maxTrailers: 4 };

/** Feeds ever longer prefixes until there is an answer, as a connection does. */
function readPiecewise<H>(bytes: Buffer, cuts: readonly number[], read: (bytes: Buffer) => HeadReading<H>) {
  for (const cut of cuts.filter((at) => at < bytes.length).sort((a, b) => a - b)) {
    const reading = read(bytes.subarray(0, cut));
    if (reading.kind !== 'incomplete') return reading;
  }
  return read(bytes);
}

/** Everything a chunked body comes to when it arrives in these pieces. */
function readBody(
  bytes: Buffer,
  cuts: readonly number[],
): { data: string; trailers: unknown; left: string } | BodyProblem {
  const reader = new BodyReader(bodyLimits);
  reader.begin({ kind: 'chunked' });
  let data = '';
  let consumed = 0;
  const edges = [...new Set([...cuts.map((at) => Math.min(at, bytes.length)), bytes.length])].sort((a, b) => a - b);
  for (const edge of edges) {
    const piece = Buffer.from(bytes.subarray(consumed, edge));
    let step = reader.step(piece, 0);
    for (; step === 'data'; step = reader.step(piece, reader.at)) data += reader.data.toString('latin1');
    if (step !== 'more' && step !== 'done') return step;
    consumed += reader.at;
    piece.fill(0); // a view kept beyond the call would show
    if (step === 'done') break;
  }
  const { trailers } = reader;
  return { data, trailers, left: bytes.subarray(consumed).toString('latin1') };
}

/** Text made of pieces that matter to the grammar: mostly wrong, often nearly right. */
const textOf = (pieces: readonly string[], maxLength: number) =>
  fc.array(fc.constantFrom(...pieces), { maxLength }).map((parts) => Buffer.from(parts.join(''), 'latin1'));
const cutsBelow = (max: number) => fc.array(fc.integer({ min: 0, max }), { maxLength: 12 });

const headPieces = [
  'GET / HTTP/1.1\r\n',
  'Host: a\r\n',
  'X: y\r\n',
  'Content-Length: 5\r\n',
  '\r\n',
  '\r',
  '\n',
  ' ',
  ':',
  'x',
  '\0',
  'HTTP/1.1 200 OK\r\n',
];
const bodyPieces = [
  '0',
  '1',
  '3',
  'a',
  'f',
  '\r\n',
  '\r\n',
  '\r',
  '\n',
  ';',
  'x=y',
  '"',
  '3\r\nabc\r\n',
  '0\r\n\r\n',
  'X: y\r\n',
  'Host: z\r\n',
  ' ',
];

describe('however the bytes are cut', () => {
  test('a request head reads the same', () => {
    const read = (bytes: Buffer) => readRequestHead(bytes, headLimits);
    fc.assert(
      fc.property(textOf(headPieces, 12), cutsBelow(160), (tail, cuts) => {
        for (const bytes of [tail, Buffer.concat([Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n'), tail])]) {
          expect(readPiecewise(bytes, cuts, read)).toEqual(read(bytes));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('a response head reads the same', () => {
    const read = (bytes: Buffer) => readResponseHead(bytes, headLimits, 'GET');
    fc.assert(
      fc.property(textOf(headPieces, 12), cutsBelow(160), (tail, cuts) => {
        const bytes = Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n'), tail]);
        expect(readPiecewise(bytes, cuts, read)).toEqual(read(bytes));
      }),
      { numRuns: 1_000 },
    );
  });

  test('a chunked body is refused for the same reason or holds the same data, trailers and end', () => {
    fc.assert(
      fc.property(textOf(bodyPieces, 16), cutsBelow(90), (bytes, cuts) => {
        expect(readBody(bytes, cuts)).toEqual(readBody(bytes, []));
      }),
      { numRuns: 3_000 },
    );
  });

  test('a good message survives every single cut, and byte by byte', () => {
    const body = Buffer.from('3;a="b"\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX-Sum: 1\r\n\r\nGET /', 'latin1');
    const whole = readBody(body, []);
    expect(whole).toMatchObject({ data: 'abc0123456789abcdef', left: 'GET /' });
    for (let cut = 1; cut < body.length; cut += 1) expect(readBody(body, [cut])).toEqual(whole);
    expect(
      readBody(
        body,
        Array.from({ length: body.length }, (_, at) => at + 1),
      ),
    ).toEqual(whole);
  });
});
