import type { z } from 'zod';
import { closest } from '#runtime/closest.ts';
import {
  cutDocuments,
  readDocuments,
  type DocumentProblem,
  type Place,
  type PlacedDocument,
} from '#runtime/documents.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { PolicyDocument } from './model.ts';
import { refusedField } from './refused-fields.ts';
import { istioAuthorization, ownAuthorization } from './schema-authorization.ts';
import { membersOf } from './schema-fields.ts';
import { denyList, meshPolicy, peerAuthentication, scopeTemplates } from './schema-others.ts';

/** A document that was read, beside what was written: plain values that can travel as JSON. */
export interface RawPolicy {
  readonly document: PolicyDocument;
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

export interface PolicyProblem extends ValueProblem {
  readonly file: string;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

const maxBytes = 1_048_576;
const maxProblems = 1_000;
/** Judging a small document takes as long as reading so many. */
const judgedAsCharacters = 50;

type Path = readonly (string | number)[];
type Issue = readonly [path: Path, problem: string];

/**
 * Reads policies out of YAML (or JSON) with any number of documents, at most 1 MiB. Refuses with every problem in them up to
 * the thousandth, and repairs none (A67).
 */
export function readPolicies(text: string, file: string): ReadPolicies {
  const steps = readPoliciesInSteps(text, file);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

type ReadPolicies = Result<readonly RawPolicy[], readonly PolicyProblem[]>;

/** The same, document by document, for who has other things to do in between. Each step tells how many characters it was. */
export function* readPoliciesInSteps(text: string, file: string): Generator<number, ReadPolicies> {
  const whole = (problem: string): ReadPolicies => refuse([{ file, line: 1, column: 1, path: '', problem }]);
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
  return yield* judgeAll(placed, file);
}

function* judgeAll(all: readonly PlacedDocument[], file: string): Generator<number, ReadPolicies> {
  const policies: RawPolicy[] = [];
  const problems: PolicyProblem[] = [];
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
    const name = `${judged.value.kind} ${judged.value.namespace}/${judged.value.name}`;
    if (names.has(name)) found(placed, [['metadata', 'name'], `there are two of ${name}: rename one`]);
    names.add(name);
    policies.push({
      document: judged.value,
      raw: placed.value,
      ...placed.placeOf(['metadata', 'name']),
      placeOf: (path) => placed.placeOf(pathParts(path)),
    });
  }
  return problems.length === 0 ? ok(policies) : refuse(problems);
}

/** Reads one policy out of plain values, e.g. of JSON that came over the wire. The same judgement as `readPolicies`. */
export function toPolicy(raw: unknown): Result<PolicyDocument, readonly ValueProblem[]> {
  const judged = judge(raw);
  return judged.ok ? judged : refuse(judged.reason.map(([path, problem]) => ({ path: pathText(path), problem })));
}

const istioKinds = { AuthorizationPolicy: istioAuthorization, PeerAuthentication: peerAuthentication };
const ownKinds = {
  AuthorizationPolicy: ownAuthorization,
  DenyList: denyList,
  MeshPolicy: meshPolicy,
  ScopeTemplates: scopeTemplates,
};
const kindsOf: Readonly<Record<string, Readonly<Record<string, z.ZodType<PolicyDocument>>>>> = {
  'security.istio.io/v1': istioKinds,
  'security.istio.io/v1beta1': istioKinds,
  'eastwest.dev/v1': ownKinds,
};

function judge(raw: unknown): Result<PolicyDocument, readonly Issue[]> {
  const members = membersOf(raw);
  if (members === undefined) return refuse([[[], 'is no policy: write apiVersion, kind, metadata and spec']]);
  const { apiVersion, kind } = Object.fromEntries(members);
  const kinds = typeof apiVersion === 'string' && Object.hasOwn(kindsOf, apiVersion) ? kindsOf[apiVersion] : undefined;
  if (kinds === undefined) return refuse([[['apiVersion'], versionProblem(kind)]]);
  const schema = typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (schema === undefined) return refuse([[['kind'], kindProblem(kind, Object.keys(kinds))]]);
  const parsed = schema.safeParse(raw);
  return parsed.success ? ok(parsed.data) : refuse(parsed.error.issues.flatMap(issuesOf));
}

function versionProblem(kind: unknown): string {
  if (kind === 'PeerAuthentication') return 'write security.istio.io/v1';
  const isOwn = typeof kind === 'string' && Object.hasOwn(ownKinds, kind) && !Object.hasOwn(istioKinds, kind);
  return isOwn ? 'write eastwest.dev/v1' : 'write security.istio.io/v1 or eastwest.dev/v1';
}

function kindProblem(kind: unknown, known: readonly string[]): string {
  if (kind === 'RequestAuthentication')
    return 'RequestAuthentication is not supported: it comes with tokens; leave it out';
  for (const [version, kinds] of Object.entries(kindsOf)) {
    if (typeof kind === 'string' && Object.hasOwn(kinds, kind))
      return `${kind} is a kind of another dialect: write apiVersion: ${version}`;
  }
  const near = typeof kind === 'string' ? closest(kind, known) : undefined;
  return near === undefined ? `write ${known.join(' or ')}` : `there is no such kind: did you mean ${near}?`;
}

function issuesOf(issue: z.core.$ZodIssue): readonly Issue[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  if (issue.code !== 'unrecognized_keys') return [[path, issue.message]];
  return issue.keys.map((key) => [
    [...path, key],
    refusedField(key) ?? 'there is no such field: correct its name, or leave it out',
  ]);
}

/** `spec.rules[0].to` taken apart. */
function pathParts(text: string): Path {
  return [...text.matchAll(/\[(\d+)\]|[\w-]+/g)].map(([part, index]) => (index === undefined ? part : Number(index)));
}

function pathText(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    if (!/^[\w-]+$/.test(part)) return `${text}[${JSON.stringify(part)}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}
