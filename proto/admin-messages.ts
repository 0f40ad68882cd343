import { parseSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { toAll, toEndpoints, workloadNameForm, type Endpoint, type MessageProblem } from './messages.ts';
import * as tables from './tables.ts';
import { decode, encode, type Decoded } from './wire.ts';

type Parsed<T> = Result<T, MessageProblem>;

export interface CreateJoinTokenRequest {
  readonly workload: string;
  /** Kubernetes-like; `default` when left out on the wire. */
  readonly namespace: string;
  readonly ttlMs: number;
}

export interface CreateJoinTokenResponse {
  /** Shown this once; the control plane keeps its hash only. */
  readonly token: string;
  readonly spiffeId: SpiffeId;
  readonly expiresAtMs: number;
}

export interface WorkloadStatus {
  readonly name: string;
  readonly spiffeId: SpiffeId;
  /** SVIDs signed for it so far. */
  readonly issued: number;
  /** Of the newest SVID; 0 before the first. */
  readonly notAfterMs: number;
  readonly agentsConnected: number;
  /** The lowest among its connected agents; 0 when none is connected or none has answered yet. */
  readonly bundleVersionAcknowledged: number;
  readonly endpoints: readonly Endpoint[];
}

export interface StatusResponse {
  readonly trustDomain: string;
  readonly bundleVersion: number;
  readonly rootNotAfterMs: number;
  readonly intermediateNotAfterMs: number;
  readonly workloads: readonly WorkloadStatus[];
  readonly auditRecords: number;
  /** Hex SHA-256 of the newest audit record. */
  readonly auditHead: string;
}

export function encodeCreateJoinTokenRequest(request: CreateJoinTokenRequest): Buffer {
  return encode(tables.createJoinTokenRequest, request);
}

export function parseCreateJoinTokenRequest(bytes: Uint8Array): Parsed<CreateJoinTokenRequest> {
  const decoded = decode(tables.createJoinTokenRequest, bytes);
  if (!decoded.ok) return decoded;
  const { workload, ttlMs } = decoded.value;
  const namespace = decoded.value.namespace === '' ? 'default' : decoded.value.namespace;
  if (!workloadNameForm.test(workload) || !workloadNameForm.test(namespace)) return refuse('bad-workload-name');
  return ttlMs > 0 ? ok({ workload, namespace, ttlMs }) : refuse('bad-time');
}

export function encodeCreateJoinTokenResponse(response: CreateJoinTokenResponse): Buffer {
  return encode(tables.createJoinTokenResponse, response);
}

export function parseCreateJoinTokenResponse(bytes: Uint8Array): Parsed<CreateJoinTokenResponse> {
  const decoded = decode(tables.createJoinTokenResponse, bytes);
  if (!decoded.ok) return decoded;
  const spiffeId = parseSpiffeId(decoded.value.spiffeId);
  return spiffeId.ok ? ok({ ...decoded.value, spiffeId: spiffeId.value }) : refuse('bad-spiffe-id');
}

export function encodeStatusRequest(): Buffer {
  return encode(tables.statusRequest, {});
}

export function encodeStatusResponse(response: StatusResponse): Buffer {
  return encode(tables.statusResponse, response);
}

export function parseStatusResponse(bytes: Uint8Array): Parsed<StatusResponse> {
  const decoded = decode(tables.statusResponse, bytes);
  if (!decoded.ok) return decoded;
  const workloads = toAll(decoded.value.workloads, toWorkloadStatus);
  return workloads.ok ? ok({ ...decoded.value, workloads: workloads.value }) : workloads;
}

function toWorkloadStatus(raw: Decoded<typeof tables.workloadStatus>): Parsed<WorkloadStatus> {
  const spiffeId = parseSpiffeId(raw.spiffeId);
  if (!spiffeId.ok) return refuse('bad-spiffe-id');
  const endpoints = toEndpoints(raw.endpoints);
  return endpoints.ok ? ok({ ...raw, spiffeId: spiffeId.value, endpoints: endpoints.value }) : endpoints;
}
