import type { ControlPlaneEvent } from '#control-plane/events.ts';
import { readPlainName } from '#control-plane/registry/names.ts';
import { isSecret, makeSecret, readSecret } from '#control-plane/secret-text.ts';
import type { StoredOperator } from '#control-plane/store/registrations.ts';
import type { Store } from '#control-plane/store/store.ts';
import type { Clock } from '#runtime/clock.ts';
import { inTurn } from '#runtime/in-turn.ts';
import type { Emit } from '#runtime/log.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { owner, roles, type Operator, type Role } from './roles.ts';

const maxOperators = 1_000;

export type OperatorProblem =
  | 'bad-name'
  | 'reserved-name'
  | 'name-taken'
  | 'unknown-role'
  | 'no-role'
  | 'too-many-operators'
  | 'unknown-operator';

export interface NewOperator {
  readonly id: string;
  /** To be shown once. */
  readonly credential: string;
}

export interface OperatorsParts {
  readonly store: Store;
  readonly clock: Pick<Clock, 'now'>;
  readonly emit: Emit<ControlPlaneEvent>;
}

/** Who may administer the registry. */
export interface Operators {
  /** By name. */
  all(): readonly StoredOperator[];
  /**
   * Without a credential it is the owner of the socket, as long as nobody else is `admin`: from then on everybody, the owner
   * too, says who they are. With one it is whose it is.
   */
  authenticate(credential: string): Result<Operator, 'credential-needed' | 'unknown-credential'>;
  add(name: string, given: readonly string[], by: Operator): Promise<Result<NewOperator, OperatorProblem>>;
  remove(name: string, by: Operator): Promise<Result<void, OperatorProblem>>;
}

export function createOperators({ store, clock, emit }: OperatorsParts): Operators {
  const byName = new Map(store.operators().map((operator) => [operator.name, operator]));
  const oneByOne = inTurn();

  async function commit(operator: StoredOperator, change: 'added' | 'removed', by: Operator): Promise<void> {
    const { id, name } = operator;
    await store.write((writer) => {
      if (change === 'added') writer.addOperator(operator);
      else writer.removeOperator(id);
      writer.audit(clock.now(), {
        kind: `operator-${change}`,
        name,
        id,
        roles: operator.roles,
        operator: by.name,
        operatorId: by.id,
      });
    });
    if (change === 'added') byName.set(name, operator);
    else byName.delete(name);
    emit({ event: 'operator.changed', name, change, operator: by.name });
  }

  return {
    all: () => [...byName.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    authenticate(credential) {
      const all = [...byName.values()];
      if (credential === '') {
        return all.some((each) => each.roles.includes('admin')) ? refuse('credential-needed') : ok(owner);
      }
      const presented = readSecret('ewo1', credential);
      if (presented === undefined) return refuse('unknown-credential');
      const known = all.find(({ id }) => id === presented.id);
      if (!isSecret(presented, known?.secretHash) || known === undefined) return refuse('unknown-credential');
      return ok({ id: known.id, name: known.name, roles: new Set(known.roles) });
    },
    add: (name, given, by) =>
      oneByOne(async () => {
        const problem = nameProblem(name, byName) ?? roleProblem(given);
        if (problem !== undefined) return refuse(problem);
        if (byName.size >= maxOperators) return refuse('too-many-operators');
        const { text: credential, id, hash: secretHash } = makeSecret('ewo1');
        const taken = roles.filter((role) => given.includes(role));
        await commit({ id, name, roles: taken, secretHash, addedAtMs: clock.now() }, 'added', by);
        return ok({ id, credential });
      }),
    remove: (name, by) =>
      oneByOne(async () => {
        const known = byName.get(name);
        if (known === undefined) return refuse('unknown-operator');
        await commit(known, 'removed', by);
        return ok(undefined);
      }),
  };
}

function nameProblem(name: string, byName: ReadonlyMap<string, StoredOperator>): OperatorProblem | undefined {
  if (!readPlainName(name).ok) return 'bad-name';
  if (name === owner.name) return 'reserved-name';
  return byName.has(name) ? 'name-taken' : undefined;
}

function roleProblem(given: readonly string[]): OperatorProblem | undefined {
  if (given.length === 0) return 'no-role';
  return given.every((role) => roles.includes(role as Role)) ? undefined : 'unknown-role';
}
