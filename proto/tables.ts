import { choice, many, one } from './wire.ts';

/** The messages of mesh.proto, field by field. A test compares each with mesh.proto itself. */
export const trustBundle = { trustDomain: one(1, 'string'), version: one(2, 'uint64'), roots: many(3, 'bytes') };

export const currentSvid = {};
export const issueCertificateRequest = {
  csr: one(1, 'bytes'),
  joinToken: choice(2, 'string'),
  currentSvid: choice(3, currentSvid),
};
export const issueCertificateResponse = {
  chain: many(1, 'bytes'),
  trustBundle: choice(2, trustBundle),
  signedAtMs: one(3, 'int64'),
};

export const endpoint = { host: one(1, 'string'), port: one(2, 'uint32') };
export const port = { port: one(1, 'uint32'), protocol: one(2, 'string') };
export const subscribe = {
  upstreams: many(1, 'string'),
  endpoints: many(2, endpoint),
  agentVersion: one(3, 'string'),
  ports: many(4, port),
};
export const acknowledge = { version: one(1, 'uint64'), problem: one(2, 'string') };
export const watchRequest = { subscribe: choice(1, subscribe), acknowledge: choice(2, acknowledge) };

export const workload = { name: one(1, 'string'), spiffeId: one(2, 'string'), endpoints: many(3, endpoint) };
export const workloads = { workloads: many(1, workload) };
export const settings = { svidLifeMs: one(1, 'int64') };
export const policyRef = { kind: one(1, 'string'), namespace: one(2, 'string'), name: one(3, 'string') };
export const policyDocument = { ...policyRef, json: one(4, 'string') };
export const policies = {
  revision: one(1, 'uint64'),
  sinceRevision: one(2, 'uint64'),
  part: one(3, 'uint32'),
  parts: one(4, 'uint32'),
  documents: many(5, policyDocument),
  gone: many(6, policyRef),
};
export const watchResponse = {
  version: one(1, 'uint64'),
  trustBundle: choice(2, trustBundle),
  workloads: choice(3, workloads),
  settings: choice(4, settings),
  policies: choice(5, policies),
};

export const createJoinTokenRequest = {
  workload: one(1, 'string'),
  namespace: one(2, 'string'),
  ttlMs: one(3, 'int64'),
};
export const createJoinTokenResponse = {
  token: one(1, 'string'),
  spiffeId: one(2, 'string'),
  expiresAtMs: one(3, 'int64'),
};
export const statusRequest = {};
export const workloadStatus = {
  name: one(1, 'string'),
  spiffeId: one(2, 'string'),
  issued: one(3, 'uint64'),
  notAfterMs: one(4, 'int64'),
  agentsConnected: one(5, 'uint32'),
  bundleVersionAcknowledged: one(6, 'uint64'),
  endpoints: many(7, endpoint),
};
export const statusResponse = {
  trustDomain: one(1, 'string'),
  bundleVersion: one(2, 'uint64'),
  rootNotAfterMs: one(3, 'int64'),
  intermediateNotAfterMs: one(4, 'int64'),
  workloads: many(5, workloadStatus),
  auditRecords: one(6, 'uint64'),
  auditHead: one(7, 'string'),
};

export const policyFile = { name: one(1, 'string'), text: one(2, 'string') };
export const applyPoliciesRequest = { files: many(1, policyFile) };
export const policyChange = {
  ...policyRef,
  outcome: one(4, 'string'),
  before: one(5, 'string'),
  after: one(6, 'string'),
};
export const policyProblem = {
  file: one(1, 'string'),
  line: one(2, 'uint32'),
  column: one(3, 'uint32'),
  path: one(4, 'string'),
  problem: one(5, 'string'),
};
export const applyPoliciesResponse = {
  revision: one(1, 'uint64'),
  changes: many(2, policyChange),
  problems: many(3, policyProblem),
  warnings: many(4, policyProblem),
};
export const listPoliciesRequest = {};
export const storedPolicy = { ...policyDocument, revision: one(5, 'uint64'), source: one(6, 'string') };
export const listPoliciesResponse = { revision: one(1, 'uint64'), policies: many(2, storedPolicy) };
export const deletePolicyRequest = { ...policyRef };
export const deletePolicyResponse = { revision: one(1, 'uint64'), problem: one(2, 'string') };
export const policyStatusRequest = {};
export const policyLaggard = {
  address: one(1, 'string'),
  revision: one(2, 'uint64'),
  sinceMs: one(3, 'int64'),
  problem: one(4, 'string'),
};
export const policyWorkloadStatus = {
  name: one(1, 'string'),
  spiffeId: one(2, 'string'),
  agentsConnected: one(3, 'uint32'),
  agentsCurrent: one(4, 'uint32'),
  behind: many(5, policyLaggard),
};
export const policyStatusResponse = {
  revision: one(1, 'uint64'),
  documents: one(2, 'uint32'),
  workloads: many(3, policyWorkloadStatus),
  openedBy: one(4, 'string'),
};
