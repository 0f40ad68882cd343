import { isIP } from 'node:net';
import { parseSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import { createTrustBundle, type TrustBundle } from '#certs/trust-bundle.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import * as tables from './tables.ts';
import { toTokenIssuers, type TokenIssuer } from './token-messages.ts';
import { decode, encode, type Decoded } from './wire.ts';

/** No answer is larger. */
export const maxMessageBytes = 256 * 1024;
/** No request is larger: 1000 upstreams with names of 63 letters, 16 endpoints and 100 ports need 69 KiB. */
export const maxRequestBytes = 80 * 1024;
/** Between control plane and its operator, on the Unix socket: every policy of the mesh at once. */
export const maxOperatorMessageBytes = 32 * 1024 * 1024;
/** A CSR of 16 KiB and a join token fit. */
export const maxStrangerRequestBytes = 32 * 1024;
/** Of the whole mesh: every control plane and, in the worst case, every agent holds them in memory. */
export const maxPolicies = 20_000;
/** All of their JSON, in characters. */
export const maxPoliciesLength = 8 * 1024 * 1024;
/** Parts of one revision: 8 Mi characters in the largest encoding, in parts that are no more than half full, are fewer. */
const maxPolicyParts = 1_000;
/** The name of a workload: one DNS label (RFC 1123, section 2.1). */
export const workloadNameForm = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** HTTP/2 paths of the Mesh service's methods. */
export const meshPaths = {
  issueCertificate: '/eastwest.mesh.v1.Mesh/IssueCertificate',
  watch: '/eastwest.mesh.v1.Mesh/Watch',
  exchangeToken: '/eastwest.mesh.v1.Mesh/ExchangeToken',
} as const;

const maxUpstreams = 1000;
const maxOwnEndpoints = 16;
const maxOwnPorts = 100;
const maxTextLength = 500;
/** A name as Kubernetes has them. */
const maxPolicyNameLength = 253;

/** Why a message was refused; names the first field that breaks its rules. */
export type MessageProblem =
  | 'malformed'
  | 'bad-attestation'
  | 'bad-chain'
  | 'bad-trust-bundle'
  | 'bad-workload-name'
  | 'bad-spiffe-id'
  | 'bad-endpoint'
  | 'bad-port'
  | 'bad-version'
  | 'bad-time'
  | 'bad-policy-name'
  | 'bad-policy-part'
  | 'text-too-long'
  | 'too-many-items'
  | 'bad-token-issuer'
  | 'unknown-kind';

export type Parsed<T> = Result<T, MessageProblem>;

export interface Endpoint {
  /** IPv4 or IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** What an agent takes on a port of its workload. */
export const portProtocols = ['http', 'http2', 'tcp', 'auto'] as const;

/** A port of a workload's own, as its agent's file declares it. */
export interface DeclaredPort {
  readonly port: number;
  readonly protocol: (typeof portProtocols)[number];
}

export type WatchRequest =
  | {
      readonly kind: 'subscribe';
      /** Names of the workloads this agent wants to reach; at most 1000. */
      readonly upstreams: readonly string[];
      /** Where the agent's own inbound can be reached; at most 16, empty while draining. */
      readonly endpoints: readonly Endpoint[];
      readonly agentVersion: string;
      /** At most 100, each once; those of protocols that this program does not know are left out. */
      readonly ports: readonly DeclaredPort[];
    }
  /** `problem` is empty when the response of that version was applied. */
  | { readonly kind: 'acknowledge'; readonly version: number; readonly problem: string };

export interface Workload {
  readonly name: string;
  readonly spiffeId: SpiffeId;
  readonly endpoints: readonly Endpoint[];
}

/** Which document; there is one of each. */
export interface PolicyRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** A document as it was written. */
export interface PolicyDocument extends PolicyRef {
  readonly json: string;
}

/** `KIND/NAMESPACE/NAME`. */
export const policyKey = ({ kind, namespace, name }: PolicyRef): string => `${kind}/${namespace}/${name}`;

/** One part of a revision: in effect once all of them are there. */
export interface PoliciesPart {
  readonly revision: number;
  /** What this stream sent last; 0: this is the whole set. */
  readonly sinceRevision: number;
  /** From 1 to `parts`. */
  readonly part: number;
  readonly parts: number;
  /** New or changed. */
  readonly documents: readonly PolicyDocument[];
  readonly gone: readonly PolicyRef[];
}

/** `version` counts up from 1 on each stream. `workloads` is the full state of every workload it names; one that is not named is as it was. */
export type WatchResponse =
  | { readonly kind: 'trust-bundle'; readonly version: number; readonly trustBundle: TrustBundle }
  | { readonly kind: 'workloads'; readonly version: number; readonly workloads: readonly Workload[] }
  | { readonly kind: 'settings'; readonly version: number; readonly svidLifeMs: number }
  | { readonly kind: 'policies'; readonly version: number; readonly policies: PoliciesPart }
  | { readonly kind: 'token-keys'; readonly version: number; readonly issuers: readonly TokenIssuer[] };

export function encodeWatchRequest(request: WatchRequest): Buffer {
  const { kind, ...fields } = request;
  return encode(tables.watchRequest, { [kind]: fields });
}

export function parseWatchRequest(bytes: Uint8Array): Parsed<WatchRequest> {
  const decoded = decode(tables.watchRequest, bytes);
  if (!decoded.ok) return decoded;
  const { subscribe, acknowledge } = decoded.value;
  if (acknowledge !== undefined) {
    if (acknowledge.problem.length > maxTextLength) return refuse('text-too-long');
    return ok({ kind: 'acknowledge', ...acknowledge });
  }
  if (subscribe === undefined) return refuse('unknown-kind');
  const { upstreams, agentVersion } = subscribe;
  if (upstreams.length > maxUpstreams || subscribe.endpoints.length > maxOwnEndpoints) return refuse('too-many-items');
  if (subscribe.ports.length > maxOwnPorts) return refuse('too-many-items');
  if (!upstreams.every((name) => workloadNameForm.test(name))) return refuse('bad-workload-name');
  if (agentVersion.length > maxTextLength) return refuse('text-too-long');
  const endpoints = toEndpoints(subscribe.endpoints);
  if (!endpoints.ok) return endpoints;
  const ports = toPorts(subscribe.ports);
  if (!ports.ok) return ports;
  return ok({ kind: 'subscribe', upstreams, endpoints: endpoints.value, agentVersion, ports: ports.value });
}

function toPorts(raw: readonly Decoded<typeof tables.port>[]): Parsed<readonly DeclaredPort[]> {
  if (raw.some(({ port }) => !isPort(port)) || new Set(raw.map(({ port }) => port)).size < raw.length) {
    return refuse('bad-port');
  }
  return ok(
    raw.flatMap(({ port, protocol }) => {
      const known = portProtocols.find((each) => each === protocol);
      return known === undefined ? [] : [{ port, protocol: known }];
    }),
  );
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

export function encodeWatchResponse(response: WatchResponse): Buffer {
  const { version } = response;
  switch (response.kind) {
    case 'trust-bundle':
      return encode(tables.watchResponse, { version, trustBundle: response.trustBundle });
    case 'workloads':
      return encode(tables.watchResponse, { version, workloads: { workloads: response.workloads } });
    case 'settings':
      return encode(tables.watchResponse, { version, settings: { svidLifeMs: response.svidLifeMs } });
    case 'policies':
      return encode(tables.watchResponse, { version, policies: response.policies });
    case 'token-keys':
      return encode(tables.watchResponse, { version, tokenKeys: { issuers: response.issuers } });
  }
}

/** A kind this program does not know is refused as `unknown-kind`: the stream goes on, the agent says so in its answer. */
export function parseWatchResponse(bytes: Uint8Array): Parsed<WatchResponse> {
  const decoded = decode(tables.watchResponse, bytes);
  if (!decoded.ok) return decoded;
  const { version, trustBundle, workloads, settings, policies, tokenKeys } = decoded.value;
  if (version < 1) return refuse('bad-version');
  if (trustBundle !== undefined) {
    const bundle = toTrustBundle(trustBundle);
    return bundle.ok ? ok({ kind: 'trust-bundle', version, trustBundle: bundle.value }) : bundle;
  }
  if (workloads !== undefined) {
    const all = toAll(workloads.workloads, toWorkload);
    return all.ok ? ok({ kind: 'workloads', version, workloads: all.value }) : all;
  }
  if (policies !== undefined) {
    const part = toPoliciesPart(policies);
    return part.ok ? ok({ kind: 'policies', version, policies: part.value }) : part;
  }
  if (tokenKeys !== undefined) {
    const issuers = toTokenIssuers(tokenKeys);
    return issuers.ok ? ok({ kind: 'token-keys', version, issuers: issuers.value }) : issuers;
  }
  if (settings === undefined) return refuse('unknown-kind');
  if (settings.svidLifeMs <= 0) return refuse('bad-time');
  return ok({ kind: 'settings', version, svidLifeMs: settings.svidLifeMs });
}

function toWorkload(raw: Decoded<typeof tables.workload>): Parsed<Workload> {
  if (!workloadNameForm.test(raw.name)) return refuse('bad-workload-name');
  const spiffeId = parseSpiffeId(raw.spiffeId);
  if (!spiffeId.ok) return refuse('bad-spiffe-id');
  const endpoints = toEndpoints(raw.endpoints);
  return endpoints.ok ? ok({ name: raw.name, spiffeId: spiffeId.value, endpoints: endpoints.value }) : endpoints;
}

function toPoliciesPart(raw: Decoded<typeof tables.policies>): Parsed<PoliciesPart> {
  const isOfRevision = raw.part >= 1 && raw.part <= raw.parts && raw.parts <= maxPolicyParts;
  if (!isOfRevision || raw.sinceRevision > raw.revision) return refuse('bad-policy-part');
  const refs: readonly PolicyRef[] = [...raw.documents, ...raw.gone];
  return refs.every(isPolicyRef) ? ok(raw) : refuse('bad-policy-name');
}

/** Three names that can be told apart in `KIND/NAMESPACE/NAME`; only the namespace may be empty. */
export function isPolicyRef({ kind, namespace, name }: PolicyRef): boolean {
  if (kind === '' || name === '') return false;
  return [kind, namespace, name].every((part) => part.length <= maxPolicyNameLength && !part.includes('/'));
}

/** A bundle whose roots can be read. */
export function toTrustBundle(raw: Decoded<typeof tables.trustBundle> | undefined): Parsed<TrustBundle> {
  if (raw === undefined) return refuse('bad-trust-bundle');
  const bundle = createTrustBundle(raw);
  return bundle.ok ? bundle : refuse('bad-trust-bundle');
}

/** Port 1 to 65535 and an IP address: names would be resolved by whom, and to what? */
export function toEndpoints(raw: readonly Endpoint[]): Parsed<readonly Endpoint[]> {
  return toAll(raw, ({ host, port }) =>
    isIP(host) !== 0 && !host.includes('%') && isPort(port) ? ok({ host, port }) : refuse('bad-endpoint'),
  );
}

/** All of them, or the first problem. */
export function toAll<A, B>(items: readonly A[], parse: (item: A) => Parsed<B>): Parsed<readonly B[]> {
  const all: B[] = [];
  for (const item of items) {
    const parsed = parse(item);
    if (!parsed.ok) return parsed;
    all.push(parsed.value);
  }
  return ok(all);
}

/** The version of a message that could not be read otherwise; 0 when not even that. */
export function versionOfWatchResponse(bytes: Uint8Array): number {
  const decoded = decode(tables.watchResponse, bytes);
  return decoded.ok ? decoded.value.version : 0;
}
