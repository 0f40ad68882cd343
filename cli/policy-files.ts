import { globSync, readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { readPolicies, type RawPolicy } from '#policy/documents.ts';
import type { PolicyDocument } from '#policy/model.ts';
import type { Clock } from '#runtime/clock.ts';
import { UsageError } from './edge.ts';
import { problemLines } from './problem-lines.ts';

/** What a folder's policies are called. */
const policyFiles = '*.{yaml,yml,json}';

interface Surroundings {
  readonly cwd: string;
  readonly clock: Pick<Clock, 'now'>;
}

/** A document, and where it was written. */
export interface FiledPolicy extends RawPolicy {
  readonly file: string;
}

/** As `readRawPolicyFiles`, the documents alone. */
export function readPolicyFiles(paths: readonly string[], surroundings: Surroundings): readonly PolicyDocument[] {
  return readRawPolicyFiles(paths, surroundings).map(({ document }) => document);
}

/**
 * The documents of these files and of the files right inside these folders, without what expired. Throws `UsageError` with
 * every problem of every file: what cannot be read must not pass for a verdict.
 */
export function readRawPolicyFiles(paths: readonly string[], { cwd, clock }: Surroundings): readonly FiledPolicy[] {
  const files = [...new Set(paths.flatMap((path) => filesAt(resolve(cwd, path))))];
  const read = files.map((path) => {
    const file = relative(cwd, path);
    return { file, policies: readPolicies(textOf(path), file) };
  });
  const problems = read.flatMap(({ policies: each }) => (each.ok ? [] : each.reason));
  if (problems.length > 0) {
    throw new UsageError(
      `the policies cannot be read:\n${problemLines(problems).join('\n')}`,
      'correct them: none of them counts before',
    );
  }
  const policies = read.flatMap(({ file, policies: each }) =>
    each.ok ? each.value.map((policy) => ({ ...policy, file })) : [],
  );
  refuseTwins(policies.map(({ document }) => document));
  return policies.map((policy) => ({ ...policy, document: inForce(policy.document, clock.now()) }));
}

/** Of one file `readPolicies` knows; a name may not mean two things in two files either. */
function refuseTwins(documents: readonly PolicyDocument[]): void {
  const names = new Set<string>();
  for (const { kind, namespace, name } of documents) {
    const whole = `${kind} ${namespace}/${name}`;
    if (names.has(whole))
      throw new UsageError(`there are two of ${whole}`, 'rename one, or leave one of the files out');
    names.add(whole);
  }
}

function inForce(document: PolicyDocument, nowMs: number): PolicyDocument {
  if (document.kind !== 'DenyList') return document;
  return { ...document, entries: document.entries.filter(({ expiresAtMs = Infinity }) => nowMs < expiresAtMs) };
}

function filesAt(path: string): readonly string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new UsageError(`there is no ${path}`, 'name a file or a folder of policies');
  return found.isDirectory() ? policyFilesIn(path).map((file) => join(path, file)) : [path];
}

/** The names of the files right inside a folder. Throws `UsageError` where there are none: nothing is no set of policies. */
export function policyFilesIn(path: string): readonly string[] {
  const files = globSync(policyFiles, { cwd: path }).toSorted();
  if (files.length > 0) return files;
  throw new UsageError(`${path} holds no policies`, `a folder's policies are its files ${policyFiles}`);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new UsageError(`${file} cannot be read: ${String(cause)}`, 'see its permissions');
  }
}
