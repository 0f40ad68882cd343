import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Edge } from '#cli/edge.ts';
import { UsageError } from '#cli/edge.ts';
import { printable } from '#cli/printable.ts';
import type { PolicyFile, PolicyProblem } from '#proto/policy-messages.ts';
import { maxOperatorMessageBytes } from '#proto/messages.ts';
import { Fault } from '#runtime/fault.ts';

/** A request has room for them, and for their names. */
const maxBytes = maxOperatorMessageBytes / 2;

/** The files of the command line, under the names they were given; `-` is standard input. */
export async function readPolicyFiles(names: readonly string[], edge: Edge): Promise<readonly PolicyFile[]> {
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
export function warningLines(warnings: readonly PolicyProblem[]): string {
  return problemLines(warnings.map((warning) => ({ ...warning, problem: `warning: ${warning.problem}` })));
}

/** `file:line:column path: problem`, a line each. */
export function problemLines(problems: readonly PolicyProblem[]): string {
  return problems
    .map(({ file, line, column, path, problem }) => {
      const place = path === '' ? '' : ` ${path}`;
      return `${printable(`${file}:${line}:${column}${place}: ${problem}`)}\n`;
    })
    .join('');
}
