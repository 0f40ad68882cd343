import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createBodyReader } from '#agent/http/body.ts';
import { readRequestHead, readResponseHead } from '#agent/http/head.ts';

interface Vector {
  readonly file: string;
  readonly title: string;
  readonly input_base64: string;
  readonly error: string | null;
}

/** A folder that is named must hold them; without a name nothing is tested here, and a line says so. */
const folder = process.env['EASTWEST_VECTORS'];
const file = `${folder}/http1/messages.json`;
const isPresent = folder !== undefined;
if (!isPresent) console.warn('skipped: HTTP/1.1 vectors (set EASTWEST_VECTORS to their folder)');
const vectors: readonly Vector[] = isPresent ? (JSON.parse(readFileSync(file, 'utf8')) as Vector[]) : [];

/** These are not complaints about the message: the reference parser stops where the connection is no longer HTTP, or over. */
const handsOver = 'Pause on CONNECT/Upgrade';
const closes = 'Data after `Connection: close`';

/** A method nobody registered is a method all the same (RFC 9110, section 9.1): it is for policy to allow or not. */
const unknownMethod = 'MKCOLA / ';

const headLimits = { maxBytes: 65_536, maxHeaders: 100 };
const bodyLimits = { maxTrailerBytes: 8_192, maxTrailers: 32 };

/** Reads message after message to the end of the input, as one connection would. */
function readAll(side: string, input: Buffer): string {
  let bytes = input;
  let messages = 0;
  while (bytes.length > 0) {
    const reading =
      side === 'request' ? readRequestHead(bytes, headLimits) : readResponseHead(bytes, headLimits, 'GET');
    if (reading.kind === 'refused') return `refused: ${reading.reason}`;
    if (reading.kind === 'incomplete') return 'incomplete';
    const body = createBodyReader(reading.head.framing, bodyLimits).read(bytes.subarray(reading.end));
    if (body.kind === 'refused') return `refused: ${body.reason}`;
    if (!body.done && reading.head.framing.kind !== 'until-close') return 'incomplete';
    messages += 1;
    if (reading.head.upgrade !== undefined) return 'handed over';
    if ('method' in reading.head && reading.head.method === 'CONNECT') return 'handed over';
    if (!reading.head.keepAlive) return 'closed';
    bytes = bytes.subarray(reading.end + body.consumed);
  }
  return `accepted ${messages}`;
}

const sideOf = (vector: Vector): string => vector.file.slice(0, vector.file.indexOf('/'));
const inputOf = (vector: Vector): Buffer => Buffer.from(vector.input_base64, 'base64');

/** Most of the messages leave the Host field out; with one, they show what else we think of them. */
function withHosts(input: Buffer): Buffer {
  const text = input.toString('latin1');
  if (/^host:/im.test(text)) return input;
  return Buffer.from(text.replace(/ HTTP\/1\.1\r\n/g, ' HTTP/1.1\r\nHost: hypnotoad.org:1234\r\n'), 'latin1');
}

/** Why we refuse what the reference parser lets pass: other protocols and versions, fragments, odd hosts and codings. */
const ourOwnReasons = [
  'bad-host',
  'bad-request-line',
  'bad-status-line',
  'bad-target',
  'bad-transfer-encoding',
  'host-mismatch',
  'unexpected-body',
  'unsupported-version',
];

describe.skipIf(!isPresent)("the reference parser's messages", () => {
  const faulty = vectors.filter((vector) => vector.error !== null);

  test('are all there', () => {
    expect(faulty.length).toBeGreaterThan(80);
  });

  test.each([
    ['as they are', inputOf],
    ['with a Host field where it is missing', (vector: Vector) => withHosts(inputOf(vector))],
  ])(
    'that it complains about, %s, are refused or never complete; nothing is read past the end of HTTP (A50, A62)',
    (how, input) => {
      const outcomes = faulty.map((vector) => ({ vector, outcome: readAll(sideOf(vector), input(vector)) }));
      const wrong = outcomes.filter(({ vector, outcome }) => {
        if (outcome.startsWith('refused') || outcome === 'incomplete') return false;
        if (inputOf(vector).toString('latin1').startsWith(unknownMethod)) return outcome !== 'accepted 1';
        if (vector.error === handsOver) return outcome !== 'handed over';
        return vector.error !== closes || outcome !== 'closed';
      });
      const count = (start: string) => outcomes.filter(({ outcome }) => outcome.startsWith(start)).length;
      console.log(
        `HTTP/1.1 vectors with an error, ${how}: ${faulty.length}; refused ${count('refused')}, incomplete ${count('incomplete')}, ` +
          `handed over after the upgrade ${count('handed over')}, closed after the first message ${count('closed')}, ` +
          `accepted ${count('accepted')}`,
      );
      expect(wrong).toEqual([]);
    },
  );

  test('that it accepts are read, unless RFC 9112 or our own rules forbid them', () => {
    const good = vectors.filter((vector) => vector.error === null);
    const outcomes = good.map((vector) => ({
      vector,
      outcome: readAll(sideOf(vector), sideOf(vector) === 'request' ? withHosts(inputOf(vector)) : inputOf(vector)),
    }));
    const refused = outcomes.filter(({ outcome }) => outcome.startsWith('refused'));
    console.log(
      `HTTP/1.1 vectors without an error: ${good.length}; read ${good.length - refused.length}, refused ${refused.length}`,
    );
    expect(refused.filter(({ outcome }) => !ourOwnReasons.includes(outcome.slice('refused: '.length)))).toEqual([]);
    expect(refused.length).toBeLessThan(good.length / 3);
  });
});
