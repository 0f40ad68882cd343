import type { DatabaseSync } from 'node:sqlite';
import { Fault } from '#runtime/fault.ts';

/** Each entry takes the schema one version further. Never edited once released, only added to. */
const migrations: readonly string[] = [
  `
  CREATE TABLE control_plane (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    trust_domain TEXT NOT NULL,
    key_source TEXT NOT NULL CHECK (key_source IN ('key-file', 'passphrase')),
    key_salt BLOB NOT NULL
  ) STRICT;
  CREATE TABLE authorities (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('root', 'intermediate')),
    certificate BLOB NOT NULL,
    sealed_key BLOB NOT NULL
  ) STRICT;
  CREATE TABLE workloads (
    name TEXT PRIMARY KEY,
    namespace TEXT NOT NULL,
    spiffe_id TEXT NOT NULL UNIQUE,
    issued INTEGER NOT NULL DEFAULT 0,
    not_after_ms INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE join_tokens (
    id TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    spiffe_id TEXT NOT NULL REFERENCES workloads (spiffe_id),
    expires_at_ms INTEGER NOT NULL,
    used_at_ms INTEGER
  ) STRICT;
  CREATE TABLE certificates (
    serial TEXT PRIMARY KEY,
    spiffe_id TEXT NOT NULL,
    key_thumbprint TEXT NOT NULL,
    issued_at_ms INTEGER NOT NULL,
    not_after_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX certificates_by_key ON certificates (key_thumbprint);
  CREATE TABLE endpoints (
    spiffe_id TEXT NOT NULL,
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    PRIMARY KEY (spiffe_id, host, port)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    hash BLOB NOT NULL
  ) STRICT;
  CREATE TRIGGER audit_rows_stay BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows stay'); END;
  CREATE TRIGGER audit_rows_do_not_change BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows do not change'); END;
  `,
  `
  CREATE TABLE policies (
    kind TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    json TEXT NOT NULL,
    revision INTEGER NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (kind, namespace, name)
  ) STRICT;
  CREATE TABLE policy_revision (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL
  ) STRICT;
  INSERT INTO policy_revision VALUES (1, 0);
  CREATE TRIGGER policy_revision_only_grows BEFORE UPDATE ON policy_revision WHEN NEW.revision <= OLD.revision
    BEGIN SELECT RAISE(ABORT, 'the revision of policies only grows'); END;
  `,
  `
  CREATE TABLE ports (
    spiffe_id TEXT NOT NULL,
    port INTEGER NOT NULL,
    protocol TEXT NOT NULL,
    PRIMARY KEY (spiffe_id, port, protocol)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE registrations (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('Client', 'Service')),
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    document TEXT NOT NULL,
    proposal TEXT NOT NULL,
    registered_by TEXT NOT NULL,
    approved_by TEXT NOT NULL,
    changed_at_ms INTEGER NOT NULL,
    UNIQUE (kind, name)
  ) STRICT;
  CREATE TABLE client_secrets (
    id TEXT PRIMARY KEY,
    registration_id TEXT NOT NULL REFERENCES registrations (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    hash BLOB NOT NULL,
    made_at_ms INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    usable INTEGER NOT NULL CHECK (usable IN (0, 1)),
    ends_at_ms INTEGER
  ) STRICT;
  CREATE INDEX client_secrets_by_registration ON client_secrets (registration_id);
  CREATE TABLE registration_tombstones (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    held_until_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
  ) STRICT;
  CREATE TABLE operators (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    roles TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    added_at_ms INTEGER NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY,
    sealed_key BLOB NOT NULL,
    published_at_ms INTEGER NOT NULL,
    signs_from_ms INTEGER,
    retired_at_ms INTEGER
  ) STRICT;
  CREATE TABLE signing_key_version (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL
  ) STRICT;
  INSERT INTO signing_key_version VALUES (1, 0);
  CREATE TRIGGER signing_key_version_only_grows BEFORE UPDATE ON signing_key_version WHEN NEW.version <= OLD.version
    BEGIN SELECT RAISE(ABORT, 'the version of signing keys only grows'); END;
  `,
];

/** Brings the schema to this program's version, each step in a transaction of its own. */
export function migrate(database: DatabaseSync): void {
  database.exec('CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY) STRICT');
  const row = database.prepare('SELECT max(version) AS version FROM schema_version').get();
  const version = Number(row?.['version'] ?? 0);
  if (version > migrations.length) {
    throw new Fault(
      'STORE_TOO_NEW',
      `the store has schema version ${version}, this program knows ${migrations.length}`,
      {
        hint: 'start the version of eastwest that wrote it last, or a newer one',
      },
    );
  }
  for (const [index, migration] of migrations.entries()) {
    if (index < version) continue;
    database.exec(`BEGIN IMMEDIATE; ${migration} INSERT INTO schema_version VALUES (${index + 1}); COMMIT;`);
  }
}
