import { readInTurns } from '#control-plane/read-in-turns.ts';
import { readPoliciesInSteps } from '#policy/documents.ts';
import type { PolicyDocument as ReadDocument } from '#policy/model.ts';
import { policyKey, type PolicyDocument } from '#proto/messages.ts';
import type { PolicyFile, PolicyProblem } from '#proto/policy-messages.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

/** So that one always fits into a message to an agent. */
export const maxPolicyBytes = 128 * 1024;

/** A document that may be applied, and where it was written. */
export interface ReadPolicy extends PolicyDocument {
  /** What it says. */
  readonly read: ReadDocument;
  readonly file: string;
  /** Of its name; both from 1. */
  readonly line: number;
  readonly column: number;
  /** Of what a path in it names. */
  readonly placeOf: (path: string) => Pick<PolicyProblem, 'line' | 'column'>;
}

/**
 * Reads all files, or tells every problem of every file: also one document in two of them. Others have their turn every
 * 10 ms or so.
 */
export async function readFiles(
  files: readonly PolicyFile[],
): Promise<Result<readonly ReadPolicy[], readonly PolicyProblem[]>> {
  const problems: PolicyProblem[] = [];
  const policies = new Map<string, ReadPolicy>();
  for (const { name: file, text } of files) {
    const read = await readInTurns(text, file, readPoliciesInSteps);
    if (!read.ok) problems.push(...read.reason);
    for (const { document, raw, ...place } of read.ok ? read.value : []) {
      const { kind, namespace, name } = document;
      const policy = { kind, namespace, name, json: JSON.stringify(raw), read: document, file, ...place };
      const problem = problemOf(policy, policies.get(policyKey(policy)));
      if (problem !== undefined) problems.push(problemAt(policy, problem));
      policies.set(policyKey(policy), policy);
    }
  }
  return problems.length > 0 ? refuse(problems) : ok([...policies.values()]);
}

function problemOf(policy: ReadPolicy, earlier: ReadPolicy | undefined): string | undefined {
  if (earlier !== undefined) return `${policyKey(policy)} is written twice, also in ${earlier.file}`;
  const bytes = Buffer.byteLength(policy.json);
  return bytes > maxPolicyBytes ? `${policyKey(policy)} has ${bytes} bytes; ${maxPolicyBytes} are allowed` : undefined;
}

/** A problem of a document as a whole. */
export function problemAt({ file, line, column }: ReadPolicy, problem: string): PolicyProblem {
  return { file, line, column, path: 'metadata.name', problem };
}
