import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createStage, get, okay } from './h1-stage.ts';
import { readAnswer, readRequests } from './node-reader.ts';

interface Vector {
  readonly file: string;
  readonly title: string;
  readonly input_base64: string;
  readonly error: string | null;
}

/** A folder that is named must hold them; without a name nothing is tested here, and a line says so. */
const folder = process.env['EASTWEST_VECTORS'];
/** Where a table of verdicts is written, one row for each vector. */
const tableFile = process.env['EASTWEST_VECTORS_TABLE'];
const isPresent = folder !== undefined;
if (!isPresent) console.warn('skipped: HTTP/1.1 vectors (set EASTWEST_VECTORS to their folder)');
const vectors: readonly Vector[] = isPresent
  ? (JSON.parse(readFileSync(`${folder}/http1/messages.json`, 'utf8')) as Vector[])
  : [];

/** These are not complaints about the message: the reference parser stops where the connection is no longer HTTP, or over. */
const handsOver = 'Pause on CONNECT/Upgrade';
const closes = 'Data after `Connection: close`';

/** A method that nobody registered is a method all the same (RFC 9110, section 9.1): it is for policy to allow or not. */
const unknownMethod = 'MKCOLA / ';

const isRequest = ({ file }: Vector): boolean => file.startsWith('request/');
const inputOf = (vector: Vector): string => Buffer.from(vector.input_base64, 'base64').toString('latin1');

/** Most of the requests leave the Host field out; with one, they show what else we think of them. */
function withHost(vector: Vector): string {
  const text = inputOf(vector);
  return isRequest(vector) && !/^host:/im.test(text)
    ? text.replace(/ HTTP\/1\.1\r\n/g, ' HTTP/1.1\r\nHost: a\r\n')
    : text;
}

interface Verdict {
  /** Whole messages that were passed on, as node reads them. */
  readonly forwarded: number;
  /** Why the next one was not. */
  readonly refused: string | undefined;
  /** What node objects to in what was passed on. */
  readonly problem: string | undefined;
}

/** A caller says the input; the app answers whatever arrives. */
async function askAll(input: string): Promise<Verdict> {
  const stage = createStage();
  stage.ask(input);
  let sent = '';
  for (let turn = 0; turn < 30; turn += 1) {
    const heard = stage.apps.at(-1)?.take() ?? '';
    sent += heard;
    if (heard === '' || stage.caller.ended !== 'no') break;
    stage.answer(okay());
  }
  const isCut = stage.apps.some(({ ended }) => ended === 'cut');
  const { requests, problem } = await readRequests(Buffer.from(sent, 'latin1'));
  const refused = stage.log.find((line) => line.startsWith('refused ') || line.startsWith('bad-request-body '));
  // a request that was cut off is no request: the app sees the cut as well
  return { forwarded: requests.length, refused, problem: isCut && problem === 'incomplete' ? undefined : problem };
}

/** An app answers the input to a caller's GET, and ends. */
async function answerAll(input: string): Promise<Verdict> {
  const stage = createStage();
  stage.ask(get());
  stage.answer(input);
  stage.app.pipe.end();
  stage.deliver();
  const refused = stage.log.find((line) => line.startsWith('bad-response ') || line.startsWith('upstream-'));
  if (stage.ends[0]?.answeredBy === 'us' || stage.caller.ended === 'cut')
    return { forwarded: 0, refused, problem: undefined };
  let said = stage.caller.take();
  while (said.startsWith('HTTP/1.1 1')) said = said.slice(said.indexOf('\r\n\r\n') + 4);
  if (said === '') return { forwarded: stage.log.includes('upgraded') ? 1 : 0, refused, problem: undefined };
  const answer = await readAnswer(Buffer.from(said, 'latin1'), 'GET');
  return { forwarded: 1, refused, problem: typeof answer === 'string' ? answer : undefined };
}

function inWords({ forwarded, refused }: Verdict): string {
  return (
    [...(forwarded > 0 ? [`forwarded ${forwarded}`] : []), ...(refused === undefined ? [] : [refused])].join(
      ', then ',
    ) || 'incomplete'
  );
}

describe.skipIf(!isPresent)("the reference parser's messages", async () => {
  const judged = await Promise.all(
    vectors.map(async (vector) => {
      const judge = isRequest(vector) ? askAll : answerAll;
      return { vector, asIs: await judge(inputOf(vector)), hosted: await judge(withHost(vector)) };
    }),
  );
  if (tableFile !== undefined) {
    const rows = judged.map(
      ({ vector: { file, title, error }, asIs, hosted }) =>
        `| ${[file, title, error ?? '', inWords(asIs), inWords(hosted)].map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`,
    );
    const head = ['| file | message | the reference says | as it is | with Host |', '| --- | --- | --- | --- | --- |'];
    writeFileSync(tableFile, `${[...head, ...rows].join('\n')}\n`);
  }

  test('are all there', () => {
    expect(vectors.length).toBeGreaterThan(180);
    expect(vectors.filter(({ error }) => error !== null).length).toBeGreaterThan(80);
  });

  const known = judged.filter(({ vector }) => !inputOf(vector).startsWith(unknownMethod));

  test('are passed on only as messages that node reads as well (A50, A62)', () => {
    expect(known.length).toBe(judged.length - 1);
    const odd = known.filter(({ asIs, hosted }) => asIs.problem !== undefined || hosted.problem !== undefined);
    expect(odd).toEqual([]);
  });

  test('with an error are refused, or never whole; a good message before them is passed on (A50, A62)', () => {
    const faulty = known.filter(({ vector: { error } }) => error !== null && error !== handsOver && error !== closes);
    const passed = faulty.filter(({ asIs, hosted }) =>
      [asIs, hosted].some(({ forwarded, refused }) => forwarded > 0 && refused === undefined),
    );
    expect(passed).toEqual([]);
    expect(faulty.filter(({ asIs, hosted }) => asIs.forwarded + hosted.forwarded > 0)).toHaveLength(1);
  });

  test('are accepted often enough: at least 30 requests and 25 responses', () => {
    const accepted = judged.filter(({ hosted }) => hosted.forwarded > 0 && hosted.refused === undefined);
    const requests = accepted.filter(({ vector }) => isRequest(vector)).length;
    const responses = accepted.length - requests;
    console.log(`HTTP/1.1 vectors: ${judged.length}; passed on: ${requests} requests, ${responses} responses`);
    expect(requests).toBeGreaterThanOrEqual(30);
    expect(responses).toBeGreaterThanOrEqual(25);
  });
});
