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
export const tokenIssuer = { issuer: one(1, 'string'), jwks: one(2, 'string'), version: one(3, 'uint64') };
export const tokenKeys = { issuers: many(1, tokenIssuer) };
export const exchangeTokenRequest = {
  audience: one(1, 'string'),
  scopes: many(2, 'string'),
  subjectToken: one(3, 'string'),
  subjectTokenType: one(4, 'string'),
  requestedTokenType: one(5, 'string'),
};
export const exchangeTokenResponse = {
  token: one(1, 'string'),
  issuedTokenType: one(2, 'string'),
  scopes: many(3, 'string'),
  issuedAtMs: one(4, 'int64'),
  expiresAtMs: one(5, 'int64'),
  error: one(6, 'string'),
  errorDescription: one(7, 'string'),
};
export const watchResponse = {
  version: one(1, 'uint64'),
  trustBundle: choice(2, trustBundle),
  workloads: choice(3, workloads),
  settings: choice(4, settings),
  policies: choice(5, policies),
  tokenKeys: choice(6, tokenKeys),
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

export const registerRequest = { credential: one(1, 'string'), files: many(2, policyFile) };
export const registeredDocument = {
  kind: one(1, 'string'),
  name: one(2, 'string'),
  id: one(3, 'string'),
  outcome: one(4, 'string'),
  revision: one(5, 'uint64'),
  secret: one(6, 'string'),
  widening: many(7, 'string'),
};
export const registerResponse = { documents: many(1, registeredDocument), problems: many(2, policyProblem) };
export const listRegistrationsRequest = { credential: one(1, 'string'), name: one(2, 'string') };
export const registrationProposal = {
  json: one(1, 'string'),
  by: one(2, 'string'),
  atMs: one(3, 'int64'),
  widening: many(4, 'string'),
};
export const registrationSecret = {
  id: one(1, 'string'),
  madeAtMs: one(2, 'int64'),
  madeBy: one(3, 'string'),
  state: one(4, 'string'),
  endsAtMs: one(5, 'int64'),
};
export const registration = {
  id: one(1, 'string'),
  kind: one(2, 'string'),
  name: one(3, 'string'),
  tenant: one(4, 'string'),
  state: one(5, 'string'),
  revision: one(6, 'uint64'),
  json: one(7, 'string'),
  proposal: choice(8, registrationProposal),
  registeredBy: one(9, 'string'),
  approvedBy: one(10, 'string'),
  changedAtMs: one(11, 'int64'),
  secrets: many(12, registrationSecret),
};
export const heldName = { kind: one(1, 'string'), name: one(2, 'string'), heldUntilMs: one(3, 'int64') };
export const listRegistrationsResponse = { registrations: many(1, registration), held: many(2, heldName) };
export const changeRegistrationRequest = {
  credential: one(1, 'string'),
  id: one(2, 'string'),
  revision: one(3, 'uint64'),
  action: one(4, 'string'),
};
export const changeRegistrationResponse = {
  problem: one(1, 'string'),
  revision: one(2, 'uint64'),
  state: one(3, 'string'),
  heldUntilMs: one(4, 'int64'),
};
export const rotateSecretRequest = {
  credential: one(1, 'string'),
  id: one(2, 'string'),
  revision: one(3, 'uint64'),
  overlapMs: one(4, 'int64'),
};
export const rotateSecretResponse = { problem: one(1, 'string'), secret: one(2, 'string'), state: one(3, 'string') };

export const addOperatorRequest = {
  credential: one(1, 'string'),
  name: one(2, 'string'),
  roles: many(3, 'string'),
};
export const addOperatorResponse = {
  problem: one(1, 'string'),
  id: one(2, 'string'),
  madeCredential: one(3, 'string'),
};
export const listOperatorsRequest = { credential: one(1, 'string') };
export const operatorEntry = {
  id: one(1, 'string'),
  name: one(2, 'string'),
  roles: many(3, 'string'),
  addedAtMs: one(4, 'int64'),
};
export const listOperatorsResponse = { operators: many(1, operatorEntry) };
export const removeOperatorRequest = { credential: one(1, 'string'), name: one(2, 'string') };
export const removeOperatorResponse = { problem: one(1, 'string') };
export const listAuditRequest = {
  credential: one(1, 'string'),
  afterSeq: one(2, 'uint64'),
  sinceMs: one(3, 'int64'),
};
export const auditRecord = { seq: one(1, 'uint64'), body: one(2, 'string'), hash: one(3, 'bytes') };
export const listAuditResponse = { records: many(1, auditRecord), nextAfterSeq: one(2, 'uint64') };

export const listSigningKeysRequest = { credential: one(1, 'string') };
export const signingKey = {
  kid: one(1, 'string'),
  state: one(2, 'string'),
  publishedAtMs: one(3, 'int64'),
  signsFromMs: one(4, 'int64'),
  retiredAtMs: one(5, 'int64'),
};
export const listSigningKeysResponse = {
  issuer: one(1, 'string'),
  version: one(2, 'uint64'),
  keys: many(3, signingKey),
  agentsConnected: one(4, 'uint32'),
  agentsCurrent: one(5, 'uint32'),
  tokensIssued: one(6, 'uint64'),
  tokensRefused: one(7, 'uint64'),
};
export const revokeSigningKeyRequest = { credential: one(1, 'string'), kid: one(2, 'string') };
export const revokeSigningKeyResponse = {
  problem: one(1, 'string'),
  version: one(2, 'uint64'),
  signs: one(3, 'string'),
};
