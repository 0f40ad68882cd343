import { join } from 'node:path';
import { verifyAuditChain, type AuditEntry } from '#control-plane/audit/record.ts';
import { storeFile } from '#control-plane/data-dir.ts';
import { openStore } from '#control-plane/store/sqlite.ts';

export type Recorded = AuditEntry & { readonly seq: number; readonly atMs: number };
export type Issued = Extract<Recorded, { readonly kind: 'certificate-issued' }>;

/** What a stopped control plane wrote down. */
export interface Audit {
  /** `ok` holds when the chain is unbroken. */
  readonly chain: ReturnType<typeof verifyAuditChain>;
  readonly entries: readonly Recorded[];
  readonly issued: readonly Issued[];
  /** Of all authorities. */
  readonly authorities: number;
}

export function readAudit(dataDir: string): Audit {
  const store = openStore(join(dataDir, storeFile));
  try {
    const rows = [...store.auditRows()];
    const entries = rows.map(({ body }) => JSON.parse(body) as Recorded);
    const issued = entries.filter((entry) => entry.kind === 'certificate-issued') as Issued[];
    return { chain: verifyAuditChain(rows), entries, issued, authorities: store.authorities().length };
  } finally {
    store.close();
  }
}

/** What stands there more than once. */
export function repeated(values: readonly string[]): string[] {
  return values.filter((value, index) => values.indexOf(value) !== index);
}
