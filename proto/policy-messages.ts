import { parseSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { isPolicyRef, toAll, type MessageProblem, type PolicyDocument, type PolicyRef } from './messages.ts';
import * as tables from './tables.ts';
import { decode, encode, type Decoded } from './wire.ts';

type Parsed<T> = Result<T, MessageProblem>;

/** What the operator asks of the mesh's policies, and what is answered. */
export interface PolicyFile {
  /** As problems shall name it. */
  readonly name: string;
  /** YAML, any number of documents. */
  readonly text: string;
}

const outcomes = ['created', 'changed', 'unchanged'] as const;

export interface PolicyChange extends PolicyRef {
  readonly outcome: (typeof outcomes)[number];
  /** JSON; empty: there was none, or it was not asked for. */
  readonly before: string;
  /** JSON; empty: it was not asked for. */
  readonly after: string;
}

/** Where a document is wrong; lines and columns from 1. */
export interface PolicyProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** In the document, e.g. `spec.rules[0].to[0].operation.paths[2]`. */
  readonly path: string;
  readonly problem: string;
}

export interface ApplyPoliciesResponse {
  /** Of the mesh, after it. */
  readonly revision: number;
  /** In the order of the documents; none when there are problems. */
  readonly changes: readonly PolicyChange[];
  readonly problems: readonly PolicyProblem[];
  /** What somebody may not mean; none when there are problems. */
  readonly warnings: readonly PolicyProblem[];
}

export interface ListedPolicy extends PolicyDocument {
  /** Of the mesh, when it was last changed. */
  readonly revision: number;
  /** The file it comes from; empty: applied by the operator. */
  readonly source: string;
}

export interface ListPoliciesResponse {
  readonly revision: number;
  readonly policies: readonly ListedPolicy[];
}

export interface DeletePolicyResponse {
  readonly revision: number;
  /** Why it was not deleted; empty: it was. */
  readonly problem: string;
}

/** An agent that has not what the newest revision says for it. */
export interface PolicyLaggard {
  readonly address: string;
  /** The one it has; 0: none yet. */
  readonly revision: number;
  readonly sinceMs: number;
  /** Why it refused what came after; empty: it has not answered yet. */
  readonly problem: string;
}

export interface PolicyWorkloadStatus {
  readonly name: string;
  readonly spiffeId: SpiffeId;
  readonly agentsConnected: number;
  /** Have what the newest revision says for them. */
  readonly agentsCurrent: number;
  readonly behind: readonly PolicyLaggard[];
}

export interface PolicyStatusResponse {
  readonly revision: number;
  readonly documents: number;
  readonly workloads: readonly PolicyWorkloadStatus[];
  /** The MeshPolicy with `defaultAction: allow`, as `policy get` names it; empty: there is none. */
  readonly openedBy: string;
}

export function encodeApplyPoliciesRequest(files: readonly PolicyFile[]): Buffer {
  return encode(tables.applyPoliciesRequest, { files });
}

export function parseApplyPoliciesRequest(bytes: Uint8Array): Parsed<readonly PolicyFile[]> {
  const decoded = decode(tables.applyPoliciesRequest, bytes);
  return decoded.ok ? ok(decoded.value.files) : decoded;
}

export function encodeApplyPoliciesResponse(response: ApplyPoliciesResponse): Buffer {
  return encode(tables.applyPoliciesResponse, response);
}

export function parseApplyPoliciesResponse(bytes: Uint8Array): Parsed<ApplyPoliciesResponse> {
  const decoded = decode(tables.applyPoliciesResponse, bytes);
  if (!decoded.ok) return decoded;
  const changes = toAll(decoded.value.changes, toPolicyChange);
  return changes.ok ? ok({ ...decoded.value, changes: changes.value }) : changes;
}

function toPolicyChange(raw: Decoded<typeof tables.policyChange>): Parsed<PolicyChange> {
  const outcome = outcomes.find((known) => known === raw.outcome);
  if (outcome === undefined) return refuse('unknown-kind');
  return isPolicyRef(raw) ? ok({ ...raw, outcome }) : refuse('bad-policy-name');
}

export function encodeListPoliciesRequest(): Buffer {
  return encode(tables.listPoliciesRequest, {});
}

export function encodeListPoliciesResponse(response: ListPoliciesResponse): Buffer {
  return encode(tables.listPoliciesResponse, response);
}

export function parseListPoliciesResponse(bytes: Uint8Array): Parsed<ListPoliciesResponse> {
  const decoded = decode(tables.listPoliciesResponse, bytes);
  if (!decoded.ok) return decoded;
  return decoded.value.policies.every(isPolicyRef) ? ok(decoded.value) : refuse('bad-policy-name');
}

export function encodeDeletePolicyRequest(ref: PolicyRef): Buffer {
  return encode(tables.deletePolicyRequest, ref);
}

export function parseDeletePolicyRequest(bytes: Uint8Array): Parsed<PolicyRef> {
  const decoded = decode(tables.deletePolicyRequest, bytes);
  if (!decoded.ok) return decoded;
  return isPolicyRef(decoded.value) ? ok(decoded.value) : refuse('bad-policy-name');
}

export function encodeDeletePolicyResponse(response: DeletePolicyResponse): Buffer {
  return encode(tables.deletePolicyResponse, response);
}

export function parseDeletePolicyResponse(bytes: Uint8Array): Parsed<DeletePolicyResponse> {
  return decode(tables.deletePolicyResponse, bytes);
}

export function encodePolicyStatusRequest(): Buffer {
  return encode(tables.policyStatusRequest, {});
}

export function encodePolicyStatusResponse(response: PolicyStatusResponse): Buffer {
  return encode(tables.policyStatusResponse, response);
}

export function parsePolicyStatusResponse(bytes: Uint8Array): Parsed<PolicyStatusResponse> {
  const decoded = decode(tables.policyStatusResponse, bytes);
  if (!decoded.ok) return decoded;
  const workloads = toAll(decoded.value.workloads, (raw): Parsed<PolicyWorkloadStatus> => {
    const spiffeId = parseSpiffeId(raw.spiffeId);
    return spiffeId.ok ? ok({ ...raw, spiffeId: spiffeId.value }) : refuse('bad-spiffe-id');
  });
  return workloads.ok ? ok({ ...decoded.value, workloads: workloads.value }) : workloads;
}
