import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Explanation } from '#policy/explain.ts';
import { verdictLines } from '#policy/explain-text.ts';
import type { PolicyDocument } from '#policy/model.ts';
import { callOf, explainedOrThrow } from './asked-call.ts';
import { UsageError, type Run } from './edge.ts';
import { readRawPolicyFiles, type FiledPolicy } from './policy-files.ts';
import { allPrintable, printable } from './printable.ts';
import { parsePolicyTestFile, type PolicyCase } from './policy-test-file.ts';
import { workloadNamed } from './workload-names.ts';

/** `eastwest policy test`: asks the policies of a table every call in it, and compares. */
export const run: Run = async (args, edge) => {
  const [name = ''] = args.positionals;
  const file = resolve(edge.cwd, name);
  const table = parsePolicyTestFile(textOf(file), name);
  if (!table.ok) throw new UsageError(`the table cannot be read:\n${table.reason.join('\n')}`, 'correct it');
  const { policies, cases, trustDomain } = table.value;
  const filed = readRawPolicyFiles(policies, { cwd: dirname(file), clock: edge.clock });
  const documents = filed.map(({ document }) => document);
  const failures = cases
    .map((each) => ({ asked: each, explanation: explained(each, { filed, documents, trustDomain }) }))
    .flatMap(({ asked, explanation }) => failureLines(asked, explanation));
  for (const lines of failures) edge.stdout.write(`${lines}\n`);
  edge.stdout.write(`${cases.length - failures.length} passed, ${failures.length} failed\n`);
  return failures.length === 0 ? 0 : 1;
};

interface Table {
  readonly filed: readonly FiledPolicy[];
  readonly documents: readonly PolicyDocument[];
  readonly trustDomain: string | undefined;
}

function explained(asked: PolicyCase, table: Table): Explanation {
  try {
    const { from, method, path, port, host } = asked;
    const workload = workloadNamed(asked.to, { ...table, from });
    const headers = Object.entries(asked.headers).flatMap(([name, values]) =>
      [values].flat().map((value) => `${name}: ${value}`),
    );
    const call = callOf({ from, workload, port, method, path, host, headers }, table);
    return explainedOrThrow(table.filed, workload, call);
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${asked.place}: ${error.message}`, error.hint);
    throw error;
  }
}

/** None: the case got what it expects. */
function failureLines({ name, place, expect, rule }: PolicyCase, explanation: Explanation): string[] {
  const { decision, verdict } = explanation;
  const by = 'rule' in decision ? decision.rule : undefined;
  if (verdict === expect && (rule === undefined || rule === by)) return [];
  const wanted = rule === undefined ? expect : `${expect} by ${rule}`;
  const got = by === undefined ? verdict : `${verdict} by ${by}`;
  const title = printable(`failed: ${name === undefined ? '' : `${name} `}(${place}): expected ${wanted}, got ${got}`);
  return [[title, ...verdictLines(allPrintable(explanation)).map((line) => `  ${line}`)].join('\n')];
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new UsageError(
      `${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      'name a file',
    );
  }
}
