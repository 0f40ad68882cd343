import type { z } from 'zod';
import { membersOf } from '#policy/schema-fields.ts';
import {
  issuesOf,
  readAtOnce,
  readInSteps,
  valueProblems,
  type Issue,
  type ReadDocuments,
} from '#policy/schema-issues.ts';
import { closest } from '#runtime/closest.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { registryKey, type RegistryDocument } from './model.ts';
import { clientDocument, serviceDocument } from './schema-documents.ts';

const version = 'eastwest.dev/v1';
const kinds: Readonly<Record<string, z.ZodType<RegistryDocument>>> = {
  Client: clientDocument,
  Service: serviceDocument,
};

/**
 * Reads registrations out of YAML (or JSON) with any number of documents, at most 1 MiB. Refuses with every problem in them,
 * and repairs none.
 */
export function readRegistrations(text: string, file: string): ReadDocuments<RegistryDocument> {
  return readAtOnce(readRegistrationsInSteps(text, file));
}

/** The same, document by document, for who has other things to do in between. Each step tells how many characters it was. */
export function readRegistrationsInSteps(
  text: string,
  file: string,
): Generator<number, ReadDocuments<RegistryDocument>> {
  return readInSteps<RegistryDocument>(text, file, { judge, nameOf: registryKey });
}

/** Reads one registration out of the JSON of a document that was read before. */
export function readRegistryJson(json: string): Result<RegistryDocument, string> {
  let raw: unknown;
  try {
    raw = JSON.parse(json);
  } catch {
    return refuse('is no JSON');
  }
  const judged = judge(raw);
  if (judged.ok) return judged;
  const [first] = valueProblems(judged.reason);
  return refuse(`${first?.path}: ${first?.problem}`);
}

function judge(raw: unknown): Result<RegistryDocument, readonly Issue[]> {
  const members = membersOf(raw);
  if (members === undefined) return refuse([[[], 'is no registration: write apiVersion, kind, metadata and spec']]);
  const { apiVersion, kind } = Object.fromEntries(members);
  if (apiVersion !== version) return refuse([[['apiVersion'], `write ${version}`]]);
  const schema = typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (schema === undefined) {
    const near = typeof kind === 'string' ? closest(kind, Object.keys(kinds)) : undefined;
    return refuse([[['kind'], near === undefined ? 'write Client or Service' : `did you mean ${near}?`]]);
  }
  const parsed = schema.safeParse(raw);
  return parsed.success ? ok(parsed.data) : refuse(parsed.error.issues.flatMap((issue) => issuesOf(issue)));
}
