import type { z } from 'zod';
import { closest } from '#runtime/closest.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { PolicyDocument } from './model.ts';
import { refusedField } from './refused-fields.ts';
import { istioAuthorization, ownAuthorization } from './schema-authorization.ts';
import { membersOf } from './schema-fields.ts';
import {
  issuesOf,
  readAtOnce,
  readInSteps,
  valueProblems,
  type Issue,
  type RawDocument,
  type ReadDocuments,
  type ValueProblem,
} from './schema-issues.ts';
import { denyList, meshPolicy, peerAuthentication, scopeTemplates } from './schema-others.ts';

/** A policy that was read, beside what was written. */
export type RawPolicy = RawDocument<PolicyDocument>;

/**
 * Reads policies out of YAML (or JSON) with any number of documents, at most 1 MiB. Refuses with every problem in them up to
 * the thousandth, and repairs none (A67).
 */
export function readPolicies(text: string, file: string): ReadDocuments<PolicyDocument> {
  return readAtOnce(readPoliciesInSteps(text, file));
}

/** The same, document by document, for who has other things to do in between. Each step tells how many characters it was. */
export function readPoliciesInSteps(text: string, file: string): Generator<number, ReadDocuments<PolicyDocument>> {
  return readInSteps(text, file, { judge, nameOf: ({ kind, namespace, name }) => `${kind} ${namespace}/${name}` });
}

/** Reads one policy out of plain values, e.g. of JSON that came over the wire. The same judgement as `readPolicies`. */
export function toPolicy(raw: unknown): Result<PolicyDocument, readonly ValueProblem[]> {
  const judged = judge(raw);
  return judged.ok ? judged : refuse(valueProblems(judged.reason));
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
  return parsed.success
    ? ok(parsed.data)
    : refuse(parsed.error.issues.flatMap((issue) => issuesOf(issue, refusedField)));
}

function versionProblem(kind: unknown): string {
  if (kind === 'PeerAuthentication') return 'write security.istio.io/v1';
  const isOwn = typeof kind === 'string' && Object.hasOwn(ownKinds, kind) && !Object.hasOwn(istioKinds, kind);
  return isOwn ? 'write eastwest.dev/v1' : 'write security.istio.io/v1 or eastwest.dev/v1';
}

function kindProblem(kind: unknown, known: readonly string[]): string {
  if (kind === 'RequestAuthentication')
    return 'RequestAuthentication is not supported: agent.yaml says whose tokens count, in tokenIssuers and inbound.ports[].token; leave it out';
  for (const [version, kinds] of Object.entries(kindsOf)) {
    if (typeof kind === 'string' && Object.hasOwn(kinds, kind))
      return `${kind} is a kind of another dialect: write apiVersion: ${version}`;
  }
  const near = typeof kind === 'string' ? closest(kind, known) : undefined;
  return near === undefined ? `write ${known.join(' or ')}` : `there is no such kind: did you mean ${near}?`;
}
