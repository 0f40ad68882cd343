import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { roles } from '#control-plane/operators/roles.ts';
import type { Actor, ClientSecret, RegistryKind, Tombstone } from '#control-plane/registry/model.ts';
import { Fault } from '#runtime/fault.ts';
import type { RegistrationWriter, StoredOperator, StoredProposal, StoredRegistration } from './registrations.ts';

type Row = Record<string, SQLOutputValue>;

const text = (value: SQLOutputValue | undefined): string => String(value);
const bytes = (value: SQLOutputValue | undefined): Buffer => Buffer.from(value as Uint8Array);
const actor = (value: SQLOutputValue | undefined): Actor => JSON.parse(text(value)) as Actor;
const actorText = ({ id, name }: Actor): string => JSON.stringify({ id, name });

function kindOf(value: SQLOutputValue | undefined): RegistryKind {
  if (value === 'Client' || value === 'Service') return value;
  throw new Fault('STORE_DAMAGED', `the store holds a registration of the kind ${String(value)}`);
}

function toSecret(row: Row): ClientSecret {
  const endsAt = row['ends_at_ms'] ?? undefined;
  return {
    id: text(row['id']),
    hash: bytes(row['hash']),
    madeAtMs: Number(row['made_at_ms']),
    madeBy: actor(row['made_by']),
    isUsable: row['usable'] === 1,
    endsAtMs: endsAt === undefined ? undefined : Number(endsAt),
  };
}

function toRegistration(row: Row, secrets: readonly ClientSecret[]): StoredRegistration {
  const [proposal, approvedBy] = [text(row['proposal']), text(row['approved_by'])];
  return {
    kind: kindOf(row['kind']),
    name: text(row['name']),
    id: text(row['id']),
    revision: Number(row['revision']),
    isDisabled: row['disabled'] === 1,
    json: text(row['document']),
    proposal: proposal === '' ? undefined : (JSON.parse(proposal) as StoredProposal),
    registeredBy: actor(row['registered_by']),
    approvedBy: approvedBy === '' ? undefined : actor(approvedBy),
    changedAtMs: Number(row['changed_at_ms']),
    secrets,
  };
}

function toTombstone(row: Row): Tombstone {
  const [kind, name, id] = [kindOf(row['kind']), text(row['name']), text(row['id'])];
  return { kind, name, id, heldUntilMs: Number(row['held_until_ms']) };
}

function toOperator(row: Row): StoredOperator {
  const given = text(row['roles']).split(' ');
  return {
    id: text(row['id']),
    name: text(row['name']),
    roles: roles.filter((role) => given.includes(role)),
    secretHash: bytes(row['secret_hash']),
    addedAtMs: Number(row['added_at_ms']),
  };
}

/** Clients, services and operators as prepared statements; see statements.ts. */
export function prepareRegistrationStatements(database: DatabaseSync): RegistrationWriter {
  const sql = (source: string): ReturnType<DatabaseSync['prepare']> => database.prepare(source);
  const registrations = sql('SELECT * FROM registrations ORDER BY kind, name');
  const secrets = sql('SELECT * FROM client_secrets ORDER BY registration_id, place');
  const putRegistration = sql(
    `INSERT INTO registrations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
       revision = excluded.revision, disabled = excluded.disabled, document = excluded.document,
       proposal = excluded.proposal, registered_by = excluded.registered_by, approved_by = excluded.approved_by,
       changed_at_ms = excluded.changed_at_ms`,
  );
  const deleteRegistration = sql('DELETE FROM registrations WHERE id = ?');
  const deleteSecrets = sql('DELETE FROM client_secrets WHERE registration_id = ?');
  const insertSecret = sql('INSERT INTO client_secrets VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
  const tombstones = sql('SELECT * FROM registration_tombstones ORDER BY kind, name');
  const putTombstone = sql('INSERT OR REPLACE INTO registration_tombstones VALUES (?, ?, ?, ?)');
  const deleteTombstones = sql('DELETE FROM registration_tombstones WHERE held_until_ms <= ?');
  const operators = sql('SELECT * FROM operators ORDER BY name');
  const insertOperator = sql('INSERT INTO operators VALUES (?, ?, ?, ?, ?)');
  const deleteOperator = sql('DELETE FROM operators WHERE id = ?');

  function insertSecrets(registrationId: string, all: readonly ClientSecret[]): void {
    deleteSecrets.run(registrationId);
    for (const [place, { id, hash, madeAtMs, madeBy, isUsable, endsAtMs }] of all.entries()) {
      const endsAt = endsAtMs === undefined ? null : Math.round(endsAtMs);
      const made = [hash, Math.round(madeAtMs), actorText(madeBy)] as const;
      insertSecret.run(id, registrationId, place, ...made, isUsable ? 1 : 0, endsAt);
    }
  }

  return {
    registrations() {
      const bySecrets = Map.groupBy(secrets.all(), (row) => text(row['registration_id']));
      return registrations
        .all()
        .map((row) => toRegistration(row, (bySecrets.get(text(row['id'])) ?? []).map(toSecret)));
    },
    tombstones: () => tombstones.all().map(toTombstone),
    operators: () => operators.all().map(toOperator),

    putRegistration(registration) {
      const { id, kind, name, revision, isDisabled, json, proposal, registeredBy, approvedBy } = registration;
      const by = [actorText(registeredBy), approvedBy === undefined ? '' : actorText(approvedBy)] as const;
      const waiting = proposal === undefined ? '' : JSON.stringify(proposal);
      const changedAt = Math.round(registration.changedAtMs);
      putRegistration.run(id, kind, name, revision, isDisabled ? 1 : 0, json, waiting, ...by, changedAt);
      insertSecrets(id, registration.secrets);
    },
    removeRegistration: (id) => void deleteRegistration.run(id),
    putTombstone: ({ kind, name, id, heldUntilMs }) => void putTombstone.run(kind, name, id, Math.round(heldUntilMs)),
    removeTombstones: (nowMs) => void deleteTombstones.run(Math.round(nowMs)),
    addOperator: ({ id, name, roles: given, secretHash, addedAtMs }) =>
      void insertOperator.run(id, name, given.join(' '), secretHash, Math.round(addedAtMs)),
    removeOperator: (id) => void deleteOperator.run(id),
  };
}
