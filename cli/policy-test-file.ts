import { z } from 'zod';
import { closest } from '#runtime/closest.ts';
import { readDocuments, type PlacedDocument } from '#runtime/documents.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { problemLines, type PlacedProblem } from './problem-lines.ts';

const port = z.number().int().min(1).max(65_535).transform(String);

const testCase = z
  .strictObject({
    name: z.string().min(1).optional(),
    from: z.string().min(1).optional(),
    plaintext: z.literal(true).optional(),
    to: z.string().min(1),
    port: port.optional(),
    method: z.string().min(1).optional(),
    path: z.string().min(1).optional(),
    host: z.string().min(1).optional(),
    headers: z.record(z.string(), z.union([z.string(), z.array(z.string())])).default({}),
    expect: z.enum(['allow', 'deny']),
    rule: z.string().min(1).optional(),
  })
  .refine(({ from, plaintext }) => (from === undefined) === (plaintext === true), {
    message: 'write who calls: `from: cart`, or `plaintext: true` for a caller who proves nothing',
  })
  .refine(({ method, path }) => (method === undefined) === (path === undefined), {
    message: 'write method and path, or neither for an opaque call',
  });

const testFile = z.strictObject({
  trustDomain: z.string().min(1).optional(),
  policies: z.array(z.string().min(1)).min(1),
  cases: z.array(testCase).min(1),
});

/** A table of calls and the verdicts they must get. */
export interface PolicyTestFile extends Omit<z.output<typeof testFile>, 'cases'> {
  readonly cases: readonly PolicyCase[];
}

export interface PolicyCase extends z.output<typeof testCase> {
  /** `file:line`, where it is written. */
  readonly place: string;
}

/** Refuses with a line for each problem, `file:line:column path: problem`. */
export function parsePolicyTestFile(text: string, file: string): Result<PolicyTestFile, readonly string[]> {
  const read = readDocuments(text);
  if (!read.ok) {
    return refuse(problemLines(read.reason.map((fault) => ({ file, path: '', ...fault }))));
  }
  const [document, ...more] = read.value;
  if (document === undefined || more.length > 0) return refuse([`${file}:1:1: holds no table, or more than one`]);
  const parsed = testFile.safeParse(document.value, { reportInput: true });
  if (!parsed.success)
    return refuse(problemLines(parsed.error.issues.flatMap((issue) => problemsOf(issue, document, file))));
  const cases = parsed.data.cases.map((each, index) => ({
    ...each,
    place: `${file}:${document.placeOf(['cases', index]).line}`,
  }));
  return ok({ ...parsed.data, cases });
}

type Issue = z.core.$ZodIssue;

function problemsOf(issue: Issue, { placeOf }: PlacedDocument, file: string): PlacedProblem[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol');
  const at = (place: readonly (string | number)[], problem: string): PlacedProblem => ({
    ...{ file, ...placeOf(place), path: pathText(place), problem },
  });
  if (issue.code !== 'unrecognized_keys') return [at(path, inOurWords(issue))];
  const known = Object.keys(path.length === 0 ? testFile.shape : testCase.shape);
  return issue.keys.map((key) => {
    const near = closest(key, known);
    const hint = near === undefined ? `there are ${known.join(', ')}` : `did you mean ${near}?`;
    return at([...path, key], `there is no such field; ${hint}`);
  });
}

/** What the table takes there, for what the library says in its own words. */
function inOurWords(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is missing' : `write ${typeNames[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `${issue.input === undefined ? 'is missing: ' : ''}write ${issue.values.map(String).join(' or ')}`;
    case 'too_small':
      return issue.origin === 'number' ? `write ${issue.minimum} or more` : 'is empty: write something there';
    case 'too_big':
      return `write ${issue.maximum} or less`;
    case 'invalid_union':
      return 'write a text, or a list of texts';
    default:
      return issue.message;
  }
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  array: 'a list',
  object: 'fields and their values',
  record: 'names and their values',
};

function pathText(path: readonly (string | number)[]): string {
  const parts = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`));
  return parts.join('').replace(/^\./, '') || 'the table';
}
