import type { Operator } from '#control-plane/operators/roles.ts';
import type { FileProblem } from '#policy/schema-issues.ts';
import type { PolicyFile } from '#proto/policy-messages.ts';
import type { RegistryAction } from '#proto/registry-messages.ts';
import { inTurn } from '#runtime/in-turn.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { isBlank, openRegistrationBook, type BookParts, type Deleted } from './book.ts';
import { registryKey, type Registration, type Tombstone } from './model.ts';
import { newMisfits, planRegister, type Planned } from './plan.ts';
import { readWanted } from './read.ts';
import type { Registry } from './registry.ts';
import { approve, disable, enable, reject, rotateSecret, type Step, type StepProblem } from './transitions.ts';

export type ChangeProblem = StepProblem | 'unknown-registration' | 'changed-meanwhile' | 'does-not-fit' | 'still-named';

export interface ChangeRefusal {
  readonly problem: ChangeProblem;
  /** What does not fit; empty: the problem says it all. */
  readonly detail: string;
}

/** Which registration, as it was when somebody looked at it. */
export interface Seen {
  readonly id: string;
  readonly revision: number;
}

type Changed<T> = Promise<Result<T, ChangeRefusal>>;

/** The registrations; every change is on disk when it resolves. */
export interface RegistryKeeper {
  readonly registry: Registry;
  all(): readonly Registration[];
  /** Deleted ones whose names nobody gets. */
  tombstones(): readonly Tombstone[];
  byId(id: string): Registration | undefined;
  /** All or nothing. */
  register(files: readonly PolicyFile[], by: Operator): Promise<Result<readonly Planned[], readonly FileProblem[]>>;
  change(seen: Seen, action: Exclude<RegistryAction, 'delete'>, by: Operator): Changed<Step>;
  delete(seen: Seen, by: Operator): Changed<Deleted>;
  rotateSecret(seen: Seen, overlapMs: number, by: Operator): Changed<Step>;
}

const steps = { approve, reject, disable, enable };

export function createRegistryKeeper(parts: BookParts): RegistryKeeper {
  const book = openRegistrationBook(parts);
  const { clock } = parts;
  const oneByOne = inTurn();

  /** Each is planned on what the one before has left. */
  const changing = <T>({ id, revision }: Seen, work: (known: Registration) => Changed<T>): Changed<T> =>
    oneByOne(async () => {
      const known = book.find(id);
      if (known === undefined) return refuse({ problem: 'unknown-registration', detail: '' });
      if (known.revision !== revision) return refuse({ problem: 'changed-meanwhile', detail: '' });
      return work(known);
    });

  /** Nothing in force may stand on what is not. */
  function misfitWith(known: Registration, next: Registration | undefined): string | undefined {
    const after = new Map(book.registrations);
    if (next === undefined || isBlank(next)) after.delete(registryKey(known));
    else after.set(registryKey(known), next);
    const [misfit] = newMisfits(book.registrations, after);
    return misfit && `${registryKey(misfit.registration)}: ${misfit.issue[1]}`;
  }

  async function take(stepped: Result<Step, StepProblem>, known: Registration, by: Operator): Changed<Step> {
    if (!stepped.ok) return refuse({ problem: stepped.reason, detail: '' });
    const detail = misfitWith(known, stepped.value.next);
    if (detail !== undefined) return refuse({ problem: 'does-not-fit', detail });
    await book.commit([stepped.value], by);
    return stepped;
  }

  return {
    registry: book.registry,
    all: () => [...book.registrations.values()],
    tombstones: () => [...book.tombstones.values()].filter(({ heldUntilMs }) => heldUntilMs > clock.now()),
    byId: (id) => book.find(id),
    async register(files, by) {
      const wanted = await readWanted(files); // the slow part, outside of the turn
      if (!wanted.ok) return wanted;
      return oneByOne(async () => {
        const plan = planRegister(book, wanted.value, { by, nowMs: clock.now() });
        if (plan.ok)
          await book.commit(
            plan.value.flatMap(({ step }) => step ?? []),
            by,
          );
        return plan;
      });
    },
    change: (seen, action, by) =>
      changing(seen, (known) => take(steps[action](known, { by, nowMs: clock.now() }), known, by)),
    rotateSecret: (seen, overlapMs, by) =>
      changing(seen, (known) => take(rotateSecret(known, { by, nowMs: clock.now() }, overlapMs), known, by)),
    delete: (seen, by) =>
      changing(seen, async (known) => {
        const detail = misfitWith(known, undefined);
        return detail === undefined ? ok(await book.bury(known, by)) : refuse({ problem: 'still-named', detail });
      }),
  };
}
