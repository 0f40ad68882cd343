import type { z } from 'zod';
import {
  cutDocuments,
  readDocuments,
  type DocumentProblem,
  type Place,
  type PlacedDocument,
} from '#runtime/documents.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

/** A document that was read, beside what was written: plain values that can travel as JSON. */
export interface RawDocument<T> {
  readonly document: T;
  readonly raw: unknown;
  /** Of its name; both from 1. */
  readonly line: number;
  readonly column: number;
  /** Where what a problem's path names stands. */
  readonly placeOf: (path: string) => Place;
}

export interface ValueProblem {
  /** In the document, e.g. `spec.rules[0].to[0].operation.paths[2]`; empty: the document as a whole. */
  readonly path: string;
  /** What is wrong there and what to write instead. */
  readonly problem: string;
}

export interface FileProblem extends ValueProblem {
  readonly file: string;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

type Path = readonly (string | number)[];
export type Issue = readonly [path: Path, problem: string];

const maxBytes = 1_048_576;
const maxProblems = 1_000;
/** Judging a small document takes as long as reading so many. */
const judgedAsCharacters = 50;

export interface Judging<T> {
  judge(raw: unknown): Result<T, readonly Issue[]>;
  /** Of which there may be one only, in words: `Client cart`. */
  nameOf(document: T): string;
}

export type ReadDocuments<T> = Result<readonly RawDocument<T>[], readonly FileProblem[]>;

/**
 * Reads what `judge` takes out of YAML (or JSON) with any number of documents, at most 1 MiB. Refuses with every problem in
 * them up to the thousandth, and repairs none (A67). Document by document, for who has other things to do in between: each
 * step tells how many characters it was.
 */
export function* readInSteps<T>(text: string, file: string, judging: Judging<T>): Generator<number, ReadDocuments<T>> {
  const whole = (problem: string): ReadDocuments<T> => refuse([{ file, line: 1, column: 1, path: '', problem }]);
  if (Buffer.byteLength(text) > maxBytes) return whole('is larger than 1 MiB: write several files');
  const placed: PlacedDocument[] = [];
  const faults: DocumentProblem[] = [];
  for (const piece of cutDocuments(text)) {
    const read = readDocuments(piece.text, piece.linesBefore);
    if (read.ok) placed.push(...read.value);
    else faults.push(...read.reason);
    yield piece.text.length;
  }
  if (faults.length > 0) return refuse(faults.slice(0, maxProblems).map((fault) => ({ file, path: '', ...fault })));
  return yield* judgeAll(placed, file, judging);
}

/** All steps at once. */
export function readAtOnce<T>(steps: Generator<number, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

function* judgeAll<T>(
  all: readonly PlacedDocument[],
  file: string,
  { judge, nameOf }: Judging<T>,
): Generator<number, ReadDocuments<T>> {
  const documents: RawDocument<T>[] = [];
  const problems: FileProblem[] = [];
  const found = (at: PlacedDocument, [path, problem]: Issue): void => {
    if (problems.length < maxProblems) problems.push({ file, ...at.placeOf(path), path: pathText(path), problem });
  };
  const names = new Set<string>();
  for (const placed of all) {
    yield judgedAsCharacters;
    const judged = judge(placed.value);
    if (!judged.ok) {
      for (const issue of judged.reason) found(placed, issue);
      continue;
    }
    const name = nameOf(judged.value);
    if (names.has(name)) found(placed, [['metadata', 'name'], `there are two of ${name}: rename one`]);
    names.add(name);
    documents.push({
      document: judged.value,
      raw: placed.value,
      ...placed.placeOf(['metadata', 'name']),
      placeOf: (path) => placed.placeOf(pathParts(path)),
    });
  }
  return problems.length === 0 ? ok(documents) : refuse(problems);
}

/** `unknownField` says of a field that nobody knows what to write instead; undefined: nothing in particular. */
export function issuesOf(
  issue: z.core.$ZodIssue,
  unknownField: (name: string) => string | undefined = () => undefined,
): readonly Issue[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  if (issue.code !== 'unrecognized_keys') return [[path, issue.message]];
  return issue.keys.map((key) => [
    [...path, key],
    unknownField(key) ?? 'there is no such field: correct its name, or leave it out',
  ]);
}

/** Issues as they are told without a file. */
export function valueProblems(issues: readonly Issue[]): readonly ValueProblem[] {
  return issues.map(([path, problem]) => ({ path: pathText(path), problem }));
}

/** `spec.rules[0].to` taken apart. */
function pathParts(text: string): Path {
  return [...text.matchAll(/\[(\d+)\]|[\w-]+/g)].map(([part, index]) => (index === undefined ? part : Number(index)));
}

/** `spec.rules[0].to[0].operation.paths[2]` */
export function pathText(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    if (!/^[\w-]+$/.test(part)) return `${text}[${JSON.stringify(part)}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}
