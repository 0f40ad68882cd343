import type { DatabaseSync } from 'node:sqlite';
import type { SigningKeyWriter } from './signing-keys.ts';

const optional = (value: unknown): number | undefined => (value === null ? undefined : Number(value));
const rounded = (value: number | undefined): number | null => (value === undefined ? null : Math.round(value));

export function prepareSigningKeyStatements(database: DatabaseSync): SigningKeyWriter {
  const all = database.prepare('SELECT * FROM signing_keys ORDER BY published_at_ms, kid');
  const version = database.prepare('SELECT version FROM signing_key_version');
  const removeAll = database.prepare('DELETE FROM signing_keys');
  const insert = database.prepare('INSERT INTO signing_keys VALUES (?, ?, ?, ?, ?)');
  const setVersion = database.prepare('UPDATE signing_key_version SET version = ?');
  return {
    signingKeys: () =>
      all.all().map((row) => ({
        kid: String(row['kid']),
        sealedKey: Buffer.from(row['sealed_key'] as Uint8Array),
        publishedAtMs: Number(row['published_at_ms']),
        signsFromMs: optional(row['signs_from_ms']),
        retiredAtMs: optional(row['retired_at_ms']),
      })),
    signingKeyVersion: () => Number(version.get()?.['version'] ?? 0),
    setSigningKeys(keys, next) {
      removeAll.run();
      for (const { kid, sealedKey, publishedAtMs, signsFromMs, retiredAtMs } of keys) {
        insert.run(kid, sealedKey, Math.round(publishedAtMs), rounded(signsFromMs), rounded(retiredAtMs));
      }
      setVersion.run(next);
    },
  };
}
