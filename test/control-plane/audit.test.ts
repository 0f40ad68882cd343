import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  beforeFirst,
  nextAuditRow,
  verifyAuditChain,
  type AuditEntry,
  type AuditRow,
} from '#control-plane/audit/record.ts';

const entry: AuditEntry = { kind: 'workload-registered', spiffeId: 'spiffe://a/b', name: 'b' };

function chain(length: number): AuditRow[] {
  const rows: AuditRow[] = [];
  for (let i = 0; i < length; i += 1) rows.push(nextAuditRow(rows.at(-1) ?? beforeFirst, i, entry));
  return rows;
}

test('a chain as written is whole; an empty one too', () => {
  const rows = chain(5);
  expect(verifyAuditChain(rows)).toEqual({ ok: true, value: { records: 5, head: rows[4]?.hash.toString('hex') } });
  expect(verifyAuditChain([])).toEqual({ ok: true, value: { records: 0, head: '0'.repeat(64) } });
});

test('whoever changes, drops, doubles or swaps a row, or rewrites its hash, is found at that row', () => {
  const tampering = fc.constantFrom('body', 'hash', 'drop', 'double', 'swap', 'rehash');
  fc.assert(
    fc.property(fc.nat({ max: 7 }), tampering, (index, kind) => {
      const rows = chain(9);
      const [row, next] = rows.slice(index) as [AuditRow, AuditRow];
      const changed = { ...row, body: row.body.replace('spiffe://a/b', 'spiffe://a/c') };
      if (kind === 'body') rows[index] = changed;
      if (kind === 'hash') rows[index] = { ...row, hash: Buffer.alloc(32) };
      if (kind === 'drop') rows.splice(index, 1);
      if (kind === 'double') rows.splice(index, 0, row);
      if (kind === 'swap') rows.splice(index, 2, next, row);
      if (kind === 'rehash') {
        const honest = nextAuditRow(rows[index - 1] ?? beforeFirst, 99, entry);
        rows[index] = honest; // a consistent row; the next one still holds the old hash
      }
      const verdict = verifyAuditChain(rows);
      const found = kind === 'double' || kind === 'rehash' ? index + 2 : index + 1;
      expect(verdict).toMatchObject({ ok: false, reason: { seq: found } });
    }),
  );
});
