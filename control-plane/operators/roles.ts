import type { Actor } from '#control-plane/registry/model.ts';

/** `registrar` registers, `approver` approves, `auditor` reads the audit log; `admin` may do all, and appoints operators. */
export const roles = ['registrar', 'approver', 'auditor', 'admin'] as const;
export type Role = (typeof roles)[number];

/** Whoever administers the registry. */
export interface Operator extends Actor {
  readonly roles: ReadonlySet<Role>;
}

/** What may be permitted; the words that the audit log uses. */
export type Action =
  | 'register'
  | 'waive-approval'
  | 'approve'
  | 'reject'
  | 'disable'
  | 'enable'
  | 'delete'
  | 'rotate-secret'
  | 'list'
  | 'revoke-key'
  | 'read-audit'
  | 'administer-operators';

/** Beside `admin`, who may do everything. Stopping is easy, starting again is not. */
const permitted: Readonly<Record<Action, readonly Role[]>> = {
  register: ['registrar'],
  'waive-approval': [],
  approve: ['approver'],
  reject: ['approver'],
  disable: ['registrar', 'approver'],
  enable: ['approver'],
  delete: ['registrar'],
  'rotate-secret': ['registrar'],
  'revoke-key': ['approver'],
  list: ['registrar', 'approver', 'auditor'],
  'read-audit': ['auditor'],
  'administer-operators': [],
};

export function may(operator: Operator, action: Action): boolean {
  return operator.roles.has('admin') || permitted[action].some((role) => operator.roles.has(role));
}

/** Those who may, for people: `approver or admin`. */
export function whoMay(action: Action): string {
  return [...permitted[action], 'admin'].join(' or ');
}

/** Without what they may do. */
export const actorOf = ({ id, name }: Actor): Actor => ({ id, name });

/** Two people: neither one person under two names of one registration of theirs, nor one name given twice. */
export function isSame(a: Actor, b: Actor): boolean {
  return a.id === b.id || a.name === b.name;
}

/** Whoever may open the admin socket, which only the control plane's own user may. Nobody else is called so. */
export const owner: Operator = { id: 'owner', name: 'owner', roles: new Set(['admin']) };
