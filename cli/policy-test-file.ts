import { z } from 'zod';
import { closest } from '#runtime/closest.ts';
import { readDocuments, type PlacedDocument } from '#runtime/documents.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

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

/** Refuses with a line for each problem, `file:line:column: path: problem`. */
export function parsePolicyTestFile(text: string, file: string): Result<PolicyTestFile, readonly string[]> {
  const read = readDocuments(text);
  if (!read.ok) {
    return refuse(read.reason.map(({ line, column, problem }) => `${file}:${line}:${column}: ${problem}`));
  }
  const [document, ...more] = read.value;
  if (document === undefined || more.length > 0) return refuse([`${file}:1:1: holds no table, or more than one`]);
  const parsed = testFile.safeParse(document.value);
  if (!parsed.success) return refuse(parsed.error.issues.flatMap((issue) => problemLines(issue, document, file)));
  const cases = parsed.data.cases.map((each, index) => ({
    ...each,
    place: `${file}:${document.placeOf(['cases', index]).line}`,
  }));
  return ok({ ...parsed.data, cases });
}

type Issue = z.core.$ZodIssue;

function problemLines(issue: Issue, { placeOf }: PlacedDocument, file: string): string[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol');
  const at = (place: readonly (string | number)[], problem: string) => {
    const { line, column } = placeOf(place);
    return `${file}:${line}:${column}: ${pathText(place)}: ${problem}`;
  };
  if (issue.code !== 'unrecognized_keys') return [at(path, issue.message)];
  const known = Object.keys(path.length === 0 ? testFile.shape : testCase.shape);
  return issue.keys.map((key) => {
    const near = closest(key, known);
    const hint = near === undefined ? `there are ${known.join(', ')}` : `did you mean ${near}?`;
    return at([...path, key], `there is no such field; ${hint}`);
  });
}

function pathText(path: readonly (string | number)[]): string {
  const parts = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`));
  return parts.join('').replace(/^\./, '') || 'the table';
}
