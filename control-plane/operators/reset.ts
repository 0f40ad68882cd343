import type { Store } from '#control-plane/store/store.ts';
import { owner } from './roles.ts';

/**
 * Removes every operator who is `admin`, so that the owner of the admin socket is one again: for whoever lost the last
 * admin's credential, and has the store. Answers their names.
 */
export function removeAdmins(store: Store, nowMs: number): Promise<readonly string[]> {
  return store.write((writer) => {
    const admins = writer.operators().filter(({ roles }) => roles.includes('admin'));
    for (const { id, name, roles } of admins) {
      writer.removeOperator(id);
      writer.audit(nowMs, { kind: 'operator-removed', name, id, roles, operator: owner.name, operatorId: owner.id });
    }
    return admins.map(({ name }) => name);
  });
}
