import { DatabaseSync } from 'node:sqlite';

/** The tables that each version of the schema brought. */
const broughtBy: ReadonlyMap<number, readonly string[]> = new Map([
  [2, ['policies', 'policy_revision']],
  [3, ['ports']],
  [4, ['client_secrets', 'registrations', 'registration_tombstones', 'operators']],
  [5, ['signing_keys', 'signing_key_version']],
]);

/** Makes of a closed store one as the program of that schema version left it. */
export function makeOlder(path: string, version: number): void {
  const database = new DatabaseSync(path);
  for (const [each, tables] of broughtBy) {
    if (each > version) for (const table of tables) database.exec(`DROP TABLE ${table}`);
  }
  database.exec(`DELETE FROM schema_version WHERE version > ${version}`);
  database.close();
}
