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
export const subscribe = {
  upstreams: many(1, 'string'),
  endpoints: many(2, endpoint),
  agentVersion: one(3, 'string'),
};
export const acknowledge = { version: one(1, 'uint64'), problem: one(2, 'string') };
export const watchRequest = { subscribe: choice(1, subscribe), acknowledge: choice(2, acknowledge) };

export const workload = { name: one(1, 'string'), spiffeId: one(2, 'string'), endpoints: many(3, endpoint) };
export const workloads = { workloads: many(1, workload) };
export const settings = { svidLifeMs: one(1, 'int64') };
export const watchResponse = {
  version: one(1, 'uint64'),
  trustBundle: choice(2, trustBundle),
  workloads: choice(3, workloads),
  settings: choice(4, settings),
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
