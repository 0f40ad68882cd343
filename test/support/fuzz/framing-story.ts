import fc from 'fast-check';
import { expect } from 'vitest';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { figuresOf } from '#support/process-figures.ts';
import type { ProcessPair } from '#support/process-pair.ts';
import { readAnswers, type ReadAnswer } from './answers-reader.ts';
import { framingCases, piecesOf, type FramingCase } from './framing-cases.ts';
import { sha1Of, type BackendRequest, type RecordingBackend } from './recording-backends.ts';
import { readAsReference, type ReferenceReading } from './reference-reader.ts';

export interface FramingStory {
  /** How many connections are fuzzed. */
  readonly cases: number;
  readonly seed: number;
  /** Side by side. */
  readonly abreast: number;
}

export interface FramingFigures {
  /** Requests that the reference reads, that were answered by the backend, and refused by an agent. */
  readonly read: number;
  readonly answered: number;
  readonly refused: number;
}

const caseDeadlineMs = 10_000;

/**
 * Sends fuzzed HTTP/1.1 through both agents to a backend. Agents and backend must never disagree on where a message ends:
 * each request that the backend reads, and each answer that comes back, is one that the reference reads at that place.
 */
export async function framingStory(
  port: number,
  backend: RecordingBackend,
  story: FramingStory,
): Promise<FramingFigures> {
  const figures = { read: 0, answered: 0, refused: 0 };
  const expected = new Map<string, ExpectedRequest>();
  let next = 0;
  const run = async (one: FramingCase): Promise<void> => {
    const id = (36 ** 3 + (next += 1)).toString(36);
    const pieces = piecesOf(one, id);
    const reading = readAsReference(Buffer.concat(pieces));
    for (const request of reading.requests) {
      const { method, target, body, isComplete } = request;
      const key = `${method} ${target} ${isComplete ? sha1Of(body) : ''}`;
      expected.set(key, { source: pieces, left: (expected.get(key)?.left ?? 0) + 1 });
    }
    const { bytes, end } = await converse(port, pieces);
    const answers = readAnswers(bytes, reading.requests);
    const told = describe(pieces, reading, { answers, end });
    checkAnswers(answers, reading, { end, told });
    figures.read += reading.requests.length;
    figures.answered += answers.filter(({ status }) => status === 200).length;
    figures.refused += answers.filter(({ status }) => status !== 200).length;
  };
  const { cases, seed, abreast } = story;
  await fc.assert(
    fc.asyncProperty(
      fc.array(framingCases, { minLength: abreast, maxLength: abreast }),
      async (several) => void (await Promise.all(several.map(run))),
    ),
    { seed, numRuns: Math.ceil(cases / abreast), endOnFailure: true, markInterruptAsFailure: false },
  );
  await checkBackend(backend, expected);
  return figures;
}

interface ExpectedRequest {
  readonly source: readonly Buffer[];
  left: number;
}

type End = 'ended' | 'reset' | 'hangs';

/** Sends the pieces, each in a turn of its own, then the end; resolves with all that came back. */
function converse(port: number, pieces: readonly Buffer[]): Promise<{ readonly bytes: Buffer; readonly end: End }> {
  return new Promise((resolve) => {
    const got: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    const done = (end: End): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ bytes: Buffer.concat(got), end });
    };
    const timer = setTimeout(() => done('hangs'), caseDeadlineMs);
    socket.on('data', (piece: Buffer) => got.push(piece));
    socket.on('error', () => done('reset'));
    socket.once('end', () => done('ended'));
    let at = 0;
    const sendNext = (): void => {
      if (socket.destroyed) return;
      const piece = pieces[at];
      at += 1;
      if (piece === undefined) return void socket.end();
      socket.write(piece);
      setImmediate(sendNext);
    };
    socket.once('connect', sendNext);
  });
}

interface Outcome {
  readonly end: End;
  /** For whoever reads a failure: what was sent, and what came of it. */
  readonly told: string;
}

function checkAnswers(answers: readonly ReadAnswer[], reading: ReferenceReading, { end, told }: Outcome): void {
  expect(end, `the connection hangs: ${told}`).not.toBe('hangs');
  for (const [index, { status, said }] of answers.entries()) {
    const request = reading.requests[index];
    if (request === undefined) {
      const isRefusal = status !== 200 && index === answers.length - 1 && reading.end !== 'clean';
      expect(isRefusal, `an answer too many: ${told}`).toBe(true);
    } else if (status === 200) {
      const { method, target, body } = request;
      const words = [`${method} ${target} ${sha1Of(body)}`, `${method} ${target}`, ...(method === 'HEAD' ? [''] : [])];
      expect(words, `another’s answer: ${told}`).toContain(said);
    }
  }
  // Whoever is refused may lose the last answers to the reset that follows.
  const isRefused = answers.some(({ status }) => status !== 200) || end === 'reset';
  if (reading.end !== 'clean' || isRefused) return;
  expect(answers.length, `neither answered nor refused: ${told}`).toBe(reading.requests.length);
}

/** Every request of the backend's books is one that the reference reads; and each was sent once. */
async function checkBackend(backend: RecordingBackend, expected: Map<string, ExpectedRequest>): Promise<void> {
  let before = -1;
  while (before !== backend.heard().requests.length) {
    before = backend.heard().requests.length;
    await sleep(300); // its books are written after its answers
  }
  const { requests, faults } = backend.heard();
  expect(faults, `what ${backend.name} could not read`).toEqual([]);
  const keyOf = ({ method, target, sha1, complete }: BackendRequest): string =>
    `${method} ${target} ${complete ? sha1 : ''}`;
  const heads = new Set([...expected.keys()].map((key) => key.slice(0, key.lastIndexOf(' '))));
  for (const request of requests) {
    const known = expected.get(keyOf(request));
    // A body that is whole may still be cut on its way, when its caller resets.
    const isKnown = known !== undefined || (!request.complete && heads.has(`${request.method} ${request.target}`));
    const source = known ? textOf(known.source) : '';
    expect(isKnown, `${backend.name} read what nobody sent: ${JSON.stringify(request)}`).toBe(true);
    if (known && request.complete) known.left -= 1;
    expect(known?.left ?? 0, `twice: ${JSON.stringify(request)} ${source}`).toBeGreaterThanOrEqual(0);
  }
}

function textOf(pieces: readonly Buffer[]): string {
  return JSON.stringify(pieces.map((piece) => piece.toString('latin1').replaceAll(/(.)\1{99,}/g, '$1$1$1… ')));
}

function describe(
  pieces: readonly Buffer[],
  { requests, end: reads }: ReferenceReading,
  { answers, end }: { readonly answers: readonly ReadAnswer[]; readonly end: End },
): string {
  const read = requests.map(({ method, target, isComplete }) => `${method} ${target}${isComplete ? '' : ' (broken)'}`);
  const said = answers.map(({ status, said: text }) => `${status} ${text.slice(0, 200)}`);
  return `\nsent ${textOf(pieces)}\nreference: ${JSON.stringify(read)}, ${reads}\ncame: ${JSON.stringify(said)}, ${end}\n`;
}

/** The agents are there, let go of what they held for the fuzzer, and hold no more memory than `mostMb` above before. */
export async function expectUnharmed(
  { cart, prices }: ProcessPair,
  before: readonly ReturnType<typeof figuresOf>[],
  mostMb: number,
): Promise<void> {
  for (const [index, agent] of [cart, prices].entries()) {
    const had = before[index]!;
    await expect
      .poll(() => figuresOf(agent.pid).handles, { timeout: 10_000, message: 'handles' })
      .toBeLessThan(had.handles + 40);
    expect(figuresOf(agent.pid).anonMb, 'anonymous memory').toBeLessThan(had.anonMb + mostMb);
    expect(agent.notes, 'what an agent wrote besides events').toEqual([]);
  }
}
