import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { parseSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import { beforeFirst, nextAuditRow, type AuditRow } from '#control-plane/audit/record.ts';
import { Fault } from '#runtime/fault.ts';
import { portProtocols } from '#proto/messages.ts';
import { prepareRegistrationStatements } from './registration-statements.ts';
import { prepareSigningKeyStatements } from './signing-key-statements.ts';
import type { RegisteredWorkload, StoredJoinToken, StoredPolicy, StoredPort, Writer } from './store.ts';

type Row = Record<string, SQLOutputValue>;

const text = (value: SQLOutputValue | undefined): string => String(value);
const bytes = (value: SQLOutputValue | undefined): Buffer => Buffer.from(value as Uint8Array);

function spiffeId(value: SQLOutputValue | undefined): SpiffeId {
  const parsed = parseSpiffeId(text(value));
  if (parsed.ok) return parsed.value;
  throw new Fault('STORE_DAMAGED', `the store holds a malformed SPIFFE ID: ${parsed.reason}`);
}

function toWorkload(row: Row | undefined): RegisteredWorkload | undefined {
  if (row === undefined) return undefined;
  return {
    name: text(row['name']),
    namespace: text(row['namespace']),
    spiffeId: spiffeId(row['spiffe_id']),
    issued: Number(row['issued']),
    notAfterMs: Number(row['not_after_ms']),
  };
}

function toPolicy(row: Row): StoredPolicy {
  return {
    kind: text(row['kind']),
    namespace: text(row['namespace']),
    name: text(row['name']),
    json: text(row['json']),
    revision: Number(row['revision']),
    source: text(row['source']),
  };
}

function toPort(row: Row): StoredPort {
  const protocol = portProtocols.find((each) => each === row['protocol']);
  if (protocol === undefined)
    throw new Fault('STORE_DAMAGED', `the store holds the unknown protocol ${text(row['protocol'])}`);
  return { spiffeId: spiffeId(row['spiffe_id']), port: Number(row['port']), protocol };
}

function toAuditRow(row: Row): AuditRow {
  return { seq: Number(row['seq']), body: text(row['body']), hash: bytes(row['hash']) };
}

/** Every question and change as a prepared statement. What is said through it belongs to whatever transaction is open. */
export function prepareStatements(database: DatabaseSync): Writer {
  const sql = (source: string): ReturnType<DatabaseSync['prepare']> => database.prepare(source);
  const setUp = sql('SELECT trust_domain, key_source, key_salt FROM control_plane');
  const insertSetUp = sql('INSERT INTO control_plane VALUES (1, ?, ?, ?)');
  const authorities = sql('SELECT kind, certificate, sealed_key FROM authorities ORDER BY id');
  const insertAuthority = sql('INSERT INTO authorities (kind, certificate, sealed_key) VALUES (?, ?, ?)');
  const workloads = sql('SELECT * FROM workloads ORDER BY name');
  const anyWorkload = sql('SELECT 1 FROM workloads LIMIT 1');
  const workloadByName = sql('SELECT * FROM workloads WHERE name = ?');
  const workloadById = sql('SELECT * FROM workloads WHERE spiffe_id = ?');
  const insertWorkload = sql('INSERT INTO workloads (name, namespace, spiffe_id) VALUES (?, ?, ?)');
  const countIssued = sql(
    'UPDATE workloads SET issued = issued + 1, not_after_ms = max(not_after_ms, ?) WHERE spiffe_id = ?',
  );
  const joinToken = sql('SELECT * FROM join_tokens WHERE id = ?');
  const insertJoinToken = sql('INSERT INTO join_tokens VALUES (?, ?, ?, ?, NULL)');
  const spendJoinToken = sql('UPDATE join_tokens SET used_at_ms = ? WHERE id = ? AND used_at_ms IS NULL');
  const ownerOfKey = sql('SELECT spiffe_id FROM certificates WHERE key_thumbprint = ? LIMIT 1');
  const insertCertificate = sql('INSERT INTO certificates VALUES (?, ?, ?, ?, ?)');
  const endpoints = sql('SELECT * FROM endpoints ORDER BY spiffe_id, host, port');
  const insertEndpoint = sql('INSERT OR IGNORE INTO endpoints VALUES (?, ?, ?)');
  const deleteEndpoint = sql('DELETE FROM endpoints WHERE spiffe_id = ? AND host = ? AND port = ?');
  const ports = sql('SELECT * FROM ports ORDER BY spiffe_id, port, protocol');
  const deletePorts = sql('DELETE FROM ports WHERE spiffe_id = ?');
  const insertPort = sql('INSERT INTO ports VALUES (?, ?, ?)');
  const policies = sql('SELECT * FROM policies ORDER BY revision, kind, namespace, name');
  const policyRevision = sql('SELECT revision FROM policy_revision');
  const putPolicy = sql('INSERT OR REPLACE INTO policies VALUES (?, ?, ?, ?, ?, ?)');
  const deletePolicy = sql('DELETE FROM policies WHERE kind = ? AND namespace = ? AND name = ?');
  const updatePolicyRevision = sql('UPDATE policy_revision SET revision = ?');
  const auditHead = sql('SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1');
  const auditRows = sql('SELECT seq, body, hash FROM audit ORDER BY seq');
  const auditRowsAfter = sql('SELECT seq, body, hash FROM audit WHERE seq > ? ORDER BY seq LIMIT ?');
  const insertAudit = sql('INSERT INTO audit VALUES (?, ?, ?)');

  const head = (): Pick<AuditRow, 'seq' | 'hash'> => {
    const row = auditHead.get();
    return row === undefined ? beforeFirst : { seq: Number(row['seq']), hash: bytes(row['hash']) };
  };
  return {
    ...prepareRegistrationStatements(database),
    ...prepareSigningKeyStatements(database),
    trustDomain: () => setUp.get()?.['trust_domain'] as string | undefined,
    keyEncryption() {
      const row = setUp.get();
      if (row === undefined) return undefined;
      return { source: row['key_source'] === 'passphrase' ? 'passphrase' : 'key-file', salt: bytes(row['key_salt']) };
    },
    authorities: () =>
      authorities.all().map((row) => ({
        kind: row['kind'] === 'root' ? ('root' as const) : ('intermediate' as const),
        certificateDer: bytes(row['certificate']),
        sealedKey: bytes(row['sealed_key']),
      })),
    workloads: () => workloads.all().map((row) => toWorkload(row) as RegisteredWorkload),
    hasWorkloads: () => anyWorkload.get() !== undefined,
    workloadByName: (name) => toWorkload(workloadByName.get(name)),
    workloadById: (id) => toWorkload(workloadById.get(id)),
    joinToken(id): StoredJoinToken | undefined {
      const row = joinToken.get(id);
      if (row === undefined) return undefined;
      const usedAt = row['used_at_ms'] ?? undefined;
      return {
        id,
        secretHash: bytes(row['secret_hash']),
        spiffeId: spiffeId(row['spiffe_id']),
        expiresAtMs: Number(row['expires_at_ms']),
        usedAtMs: usedAt === undefined ? undefined : Number(usedAt),
      };
    },
    ownerOfKey(keyThumbprint) {
      const row = ownerOfKey.get(keyThumbprint);
      return row === undefined ? undefined : spiffeId(row['spiffe_id']);
    },
    endpoints: () =>
      endpoints.all().map((row) => ({
        spiffeId: spiffeId(row['spiffe_id']),
        host: text(row['host']),
        port: Number(row['port']),
      })),
    ports: () => ports.all().map(toPort),
    policies: () => policies.all().map(toPolicy),
    policyRevision: () => Number(policyRevision.get()?.['revision'] ?? 0),
    auditHead: head,
    *auditRows() {
      for (const row of auditRows.iterate()) yield toAuditRow(row);
    },
    auditRowsAfter: (seq, most) => auditRowsAfter.all(seq, most).map(toAuditRow),

    setUp: (trustDomain, { source, salt }) => void insertSetUp.run(trustDomain, source, salt),
    addAuthority: ({ kind, certificateDer, sealedKey }) => void insertAuthority.run(kind, certificateDer, sealedKey),
    addWorkload: ({ name, namespace, spiffeId: id }) => void insertWorkload.run(name, namespace, id),
    addJoinToken: (token) =>
      void insertJoinToken.run(token.id, token.secretHash, token.spiffeId, Math.round(token.expiresAtMs)),
    spendJoinToken: (id, nowMs) => (spendJoinToken.run(Math.round(nowMs), id).changes === 1 ? 'done' : 'spent'),
    addCertificate({ serial, spiffeId: id, keyThumbprint, issuedAtMs, notAfterMs }) {
      insertCertificate.run(serial, id, keyThumbprint, Math.round(issuedAtMs), notAfterMs);
      countIssued.run(notAfterMs, id);
    },
    addEndpoint: ({ spiffeId: id, host, port }) => void insertEndpoint.run(id, host, port),
    removeEndpoint: ({ spiffeId: id, host, port }) => void deleteEndpoint.run(id, host, port),
    setPorts(id, all) {
      deletePorts.run(id);
      for (const { port, protocol } of all) insertPort.run(id, port, protocol);
    },
    putPolicy: ({ kind, namespace, name, json, revision, source }) =>
      void putPolicy.run(kind, namespace, name, json, revision, source),
    removePolicy: ({ kind, namespace, name }) => void deletePolicy.run(kind, namespace, name),
    setPolicyRevision: (revision) => void updatePolicyRevision.run(revision),
    audit(atMs, entry) {
      const row = nextAuditRow(head(), atMs, entry);
      insertAudit.run(row.seq, row.body, row.hash);
    },
  };
}
