import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Edge } from '#cli/edge.ts';
import { UsageError } from '#cli/edge.ts';
import { policyFilesIn } from '#cli/policy-files.ts';
import { problemLines } from '#cli/problem-lines.ts';
import type { PolicyFile, PolicyProblem } from '#proto/policy-messages.ts';
import { maxOperatorMessageBytes } from '#proto/messages.ts';
import { Fault } from '#runtime/fault.ts';

/** A request has room for them, and for their names. */
const maxBytes = maxOperatorMessageBytes / 2;

/** The files of the command line and those right inside its folders, under the names they were given; `-` is standard input. */
export async function readPolicyFiles(given: readonly string[], edge: Edge): Promise<readonly PolicyFile[]> {
  const names = given.flatMap((name) => filesAt(name, edge));
  const files: PolicyFile[] = [];
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new UsageError(`${twice} is given twice`, 'name each file once');
  let bytes = 0;
  for (const name of names) {
    const text = name === '-' ? await readAll(edge.stdin) : await readOne(resolve(edge.cwd, name));
    bytes += Buffer.byteLength(text);
    if (bytes > maxBytes) throw new Fault('FILE_TOO_LARGE', `these files have more than ${maxBytes} bytes`);
    files.push({ name: name === '-' ? '(standard input)' : name, text });
  }
  return files;
}

function filesAt(name: string, { cwd }: Edge): readonly string[] {
  const path = resolve(cwd, name);
  if (name === '-' || statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [name];
  return policyFilesIn(path).map((file) => join(name, file));
}

async function readOne(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new Fault('FILE_UNREADABLE', `cannot read ${path}`, { cause, hint: 'name a file that exists, or `-`' });
  }
}

async function readAll(stdin: Edge['stdin']): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

/** `file:line:column path: warning: problem`, a line each. */
export function warningText(warnings: readonly PolicyProblem[]): string {
  return problemText(warnings.map((warning) => ({ ...warning, problem: `warning: ${warning.problem}` })));
}

/** `file:line:column path: problem`, a line each. */
export function problemText(problems: readonly PolicyProblem[]): string {
  return problemLines(problems)
    .map((line) => `${line}\n`)
    .join('');
}
