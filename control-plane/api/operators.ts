import type { Authorize } from '#control-plane/operators/authorize.ts';
import type { Operators } from '#control-plane/operators/operators.ts';
import type { RecordRefusal } from '#control-plane/operators/refusals.ts';
import type { Store } from '#control-plane/store/store.ts';
import type { RegistryHandlers } from '#proto/registry-admin.ts';
import { ok } from '#runtime/result.ts';
import { operatorText } from './registry-texts.ts';

export interface OperatorHandlerParts {
  readonly operators: Operators;
  readonly store: Pick<Store, 'auditRowsAfter'>;
  readonly authorize: Authorize;
  readonly recordRefusal: RecordRefusal;
}

type Handlers = Pick<RegistryHandlers, 'addOperator' | 'listOperators' | 'removeOperator' | 'audit'>;

/** So many are looked through for one request: whoever wants all of them asks again, and others have their turn. */
const auditPage = 5_000;

/** What operators may ask about operators, and of the audit log. */
export function createOperatorHandlers({ operators, store, authorize, recordRefusal }: OperatorHandlerParts): Handlers {
  return {
    addOperator: async ({ credential, name, roles }) => {
      const by = await authorize(credential, 'administer-operators', name);
      if (!by.ok) return by;
      const added = await operators.add(name, roles, by.value);
      if (added.ok) return ok({ problem: '', id: added.value.id, madeCredential: added.value.credential });
      await recordRefusal({ action: 'administer-operators', subject: name, reason: added.reason, by: by.value });
      return ok({ problem: operatorText(added.reason), id: '', madeCredential: '' });
    },
    listOperators: async ({ credential }) => {
      const by = await authorize(credential, 'administer-operators', '');
      if (!by.ok) return by;
      const all = operators.all().map(({ id, name, roles, addedAtMs }) => {
        return { id, name, roles, addedAtMs: Math.round(addedAtMs) };
      });
      return ok({ operators: all });
    },
    removeOperator: async ({ credential, name }) => {
      const by = await authorize(credential, 'administer-operators', name);
      if (!by.ok) return by;
      const removed = await operators.remove(name, by.value);
      if (removed.ok) return ok({ problem: '' });
      await recordRefusal({ action: 'administer-operators', subject: name, reason: removed.reason, by: by.value });
      return ok({ problem: operatorText(removed.reason) });
    },
    audit: async ({ credential, afterSeq, sinceMs }) => {
      const by = await authorize(credential, 'read-audit', '');
      if (!by.ok) return by;
      const rows = store.auditRowsAfter(afterSeq, auditPage);
      const records = sinceMs === 0 ? rows : rows.filter(({ body }) => atMsOf(body) >= sinceMs);
      return ok({ records, nextAfterSeq: rows.length < auditPage ? 0 : (rows.at(-1)?.seq ?? 0) });
    },
  };
}

function atMsOf(body: string): number {
  return (JSON.parse(body) as { atMs: number }).atMs;
}
