import { readInTurns } from '#control-plane/read-in-turns.ts';
import { pathText, type FileProblem, type Issue, type RawDocument } from '#policy/schema-issues.ts';
import type { PolicyFile } from '#proto/policy-messages.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { readRegistrationsInSteps } from './documents.ts';
import { registryKey, type RegistryDocument, type WrittenDocument } from './model.ts';

/** A document that somebody wants registered, and where it was written. */
export interface WantedDocument extends WrittenDocument {
  problemAt(issue: Issue): FileProblem;
}

/** All files, or every problem of every file: also one name in two of them. Others have their turn every 10 ms or so. */
export async function readWanted(
  files: readonly PolicyFile[],
): Promise<Result<readonly WantedDocument[], readonly FileProblem[]>> {
  const problems: FileProblem[] = [];
  const wanted = new Map<string, WantedDocument>();
  for (const { name: file, text } of files) {
    const read = await readInTurns(text, file, readRegistrationsInSteps);
    if (!read.ok) problems.push(...read.reason);
    for (const raw of read.ok ? read.value : []) {
      const document = wantedOf(raw, file);
      const key = registryKey(document.document);
      if (wanted.has(key))
        problems.push(document.problemAt([['metadata', 'name'], `there are two of ${key}: keep one`]));
      wanted.set(key, document);
    }
  }
  return problems.length > 0 ? refuse(problems) : ok([...wanted.values()]);
}

function wantedOf({ document, raw, placeOf }: RawDocument<RegistryDocument>, file: string): WantedDocument {
  return {
    document,
    json: JSON.stringify(raw),
    problemAt([parts, problem]) {
      const path = pathText(parts);
      return { file, ...placeOf(path), path, problem };
    },
  };
}
