import { beforeFirst, verifyAuditChain } from '#control-plane/audit/record.ts';
import type { ResponseOf } from '#proto/registry-messages.ts';
import { Fault } from '#runtime/fault.ts';
import { ok } from '#runtime/result.ts';
import { askRegistry } from './app/ask.ts';
import { UsageError, type Run } from './edge.ts';
import { printable } from './printable.ts';
import { isoTime, parseDuration, parseIsoTime } from './time-text.ts';

type AuditRow = ResponseOf<'audit'>['records'][number];

/** `eastwest audit`: a line for each record; the whole log is checked as it is read. */
export const run: Run = async (args, edge) => {
  const sinceMs = sinceOf(args.values['since'], edge.clock.now());
  let last: Pick<AuditRow, 'seq' | 'hash'> = beforeFirst;
  await askRegistry(args, edge, async (client, { credential, options }) => {
    for (let afterSeq = 0; ;) {
      const page = await client.audit({ credential, afterSeq, sinceMs }, options);
      if (!page.ok) return page;
      const { records, nextAfterSeq } = page.value;
      for (const { body } of records) edge.stdout.write(args.flags.has('json') ? `${body}\n` : lineOf(body));
      if (sinceMs === 0) follow(records, last);
      last = records.at(-1) ?? last;
      afterSeq = nextAfterSeq;
      if (afterSeq === 0) return ok(undefined);
    }
  });
  if (sinceMs === 0)
    edge.stderr.write(`${last.seq} records, unbroken, head ${Buffer.from(last.hash).toString('hex')}\n`);
  return 0;
};

function follow(rows: readonly AuditRow[], last: Pick<AuditRow, 'seq' | 'hash'>): void {
  const chain = verifyAuditChain(rows, last);
  if (chain.ok) return;
  const { seq, problem } = chain.reason;
  throw new Fault('AUDIT_BROKEN', `the chain of the audit log is broken at record ${seq}: ${problem}`, {
    hint: 'somebody changed the store: compare it with a copy of it from before',
  });
}

/** 0: everything. */
function sinceOf(text: string | undefined, nowMs: number): number {
  if (text === undefined) return 0;
  const backMs = parseDuration(text);
  const sinceMs = backMs === undefined ? parseIsoTime(text) : nowMs - backMs;
  if (Number.isFinite(sinceMs) && sinceMs > 0) return Math.round(sinceMs);
  throw new UsageError(`--since ${text} is no time`, 'write 1h, or 2026-01-31T12:00:00Z');
}

function lineOf(body: string): string {
  const { seq, atMs, kind, ...rest } = JSON.parse(body) as { seq: number; atMs: number; kind: string };
  const fields = Object.entries(rest as Record<string, unknown>)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return `${printable([isoTime(atMs), `#${seq}`, kind, ...fields].join(' '))}\n`;
}
