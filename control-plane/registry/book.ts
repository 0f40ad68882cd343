import { createHash } from 'node:crypto';
import { parseSpiffeId } from '#certs/spiffe-id.ts';
import type { ControlPlaneEvent } from '#control-plane/events.ts';
import type { Operator } from '#control-plane/operators/roles.ts';
import type { Store, Writer } from '#control-plane/store/store.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Emit } from '#runtime/log.ts';
import { heldUntil, registryKey, type Registration, type Tombstone } from './model.ts';
import { createRegistryMemory, type Registry, type RegistryNews } from './registry.ts';
import { fromStored, toStored } from './stored.ts';
import type { Step } from './transitions.ts';

export interface BookParts {
  readonly store: Store;
  readonly svidLifeMs: number;
  readonly clock: Pick<Clock, 'now'>;
  readonly emit: Emit<ControlPlaneEvent>;
  onFault(error: unknown): void;
}

export interface Deleted {
  readonly deleted: Registration;
  /** 0: nothing of it was ever in force, and nothing is held. */
  readonly heldUntilMs: number;
}

/** The registrations in the store, and in memory as they are there. */
export interface RegistrationBook {
  readonly registry: Registry;
  /** By `Client/cart`. */
  readonly registrations: ReadonlyMap<string, Registration>;
  readonly tombstones: ReadonlyMap<string, Tombstone>;
  /** Keys of those that this program cannot read: they are in force nowhere, and nobody gets their name. */
  readonly unreadable: ReadonlySet<string>;
  find(id: string): Registration | undefined;
  /** On disk, in the audit log and in memory when it resolves; all of it or nothing. */
  commit(steps: readonly Step[], by: Operator): Promise<void>;
  bury(gone: Registration, by: Operator): Promise<Deleted>;
}

/** Nothing of it is in force, and nothing waits: there is nothing left of it. */
export function isBlank({ inForce, proposal }: Registration): boolean {
  return inForce === undefined && proposal === undefined;
}

export function openRegistrationBook({ store, svidLifeMs, clock, emit, onFault }: BookParts): RegistrationBook {
  const memory = createRegistryMemory(onFault);
  const registrations = new Map<string, Registration>();
  const tombstones = new Map(store.tombstones().map((tombstone) => [registryKey(tombstone), tombstone]));
  const unreadable = new Set<string>();
  for (const stored of store.registrations()) {
    const key = registryKey(stored);
    const read = fromStored(stored);
    if (read.ok) keep(read.value);
    else {
      unreadable.add(key);
      emit({ event: 'registration.unreadable', registration: key, problem: read.reason });
    }
  }

  function keep(registration: Registration): void {
    registrations.set(registryKey(registration), registration);
    memory.put(registration);
  }

  function forget(gone: Registration): void {
    registrations.delete(registryKey(gone));
    memory.remove(gone);
  }

  function tell({ kind, name, id }: Registration, change: RegistryNews['change']): void {
    memory.tell({ kind, name, id, change });
  }

  /** SVIDs may have been longer than they are now. */
  function proofUntil({ kind, name }: Registration, nowMs: number): number {
    const id = kind === 'Client' ? parseSpiffeId(name) : undefined;
    if (id?.ok !== true) return 0;
    return Math.max(nowMs + svidLifeMs, store.workloadById(id.value)?.notAfterMs ?? 0);
  }

  function log({ revision, ...ref }: Registration, change: Step['change'], by: Operator): void {
    emit({ event: 'registration.changed', registration: registryKey(ref), change, revision, operator: by.name });
  }

  return {
    registry: memory.registry,
    registrations,
    tombstones,
    unreadable,
    find: (id) => [...registrations.values()].find((each) => each.id === id),
    async commit(steps, by) {
      const before = new Map(registrations);
      await store.write((writer) => {
        for (const { next, change } of steps) {
          if (isBlank(next)) writer.removeRegistration(next.id);
          else writer.putRegistration(toStored(next));
          recordChange(writer, { next, change, before: before.get(registryKey(next)) }, { by, nowMs: clock.now() });
        }
      });
      for (const { next, change } of steps) {
        if (isBlank(next)) forget(next);
        else keep(next);
        log(next, change, by);
      }
      for (const { next } of steps) {
        const known = before.get(registryKey(next));
        const isOther = known?.inForce !== next.inForce || known?.secrets !== next.secrets;
        if (isOther && next.inForce !== undefined) tell(next, 'in-force');
        if ((known?.isDisabled ?? false) !== next.isDisabled) tell(next, next.isDisabled ? 'disabled' : 'enabled');
      }
    },
    async bury(gone, by) {
      const { id, kind, name } = gone;
      const nowMs = clock.now();
      const heldUntilMs = gone.inForce === undefined ? 0 : heldUntil(nowMs, proofUntil(gone, nowMs));
      const tombstone = { kind, name, id, heldUntilMs };
      const next = { ...gone, revision: gone.revision + 1, inForce: undefined, proposal: undefined, secrets: [] };
      await store.write((writer) => {
        writer.removeRegistration(id);
        writer.removeTombstones(nowMs);
        if (heldUntilMs > 0) writer.putTombstone(tombstone);
        recordChange(writer, { next, change: 'deleted', before: gone }, { by, nowMs });
      });
      forget(gone);
      for (const [key, { heldUntilMs: until }] of tombstones) if (until <= nowMs) tombstones.delete(key);
      if (heldUntilMs > 0) tombstones.set(registryKey(gone), tombstone);
      log(next, 'deleted', by);
      tell(gone, 'deleted');
      return { deleted: gone, heldUntilMs };
    },
  };
}

interface RecordedChange extends Pick<Step, 'next' | 'change'> {
  readonly before: Registration | undefined;
}

function recordChange(
  writer: Writer,
  { next, change, before }: RecordedChange,
  { by, nowMs }: { by: Operator; nowMs: number },
): void {
  const made = next.secrets.find(({ id }) => !before?.secrets.some((secret) => secret.id === id));
  const judged = change === 'approved' || change === 'rejected' ? before?.proposal?.by.name : undefined;
  writer.audit(nowMs, {
    kind: 'registration-changed',
    registration: registryKey(next),
    id: next.id,
    change,
    revision: next.revision,
    inForce: digestOf(next.inForce?.json),
    proposed: digestOf(next.proposal?.json),
    operator: by.name,
    operatorId: by.id,
    ...(judged === undefined ? {} : { proposedBy: judged }),
    ...(made === undefined ? {} : { secretId: made.id }),
  });
}

function digestOf(json: string | undefined): string {
  return json === undefined ? '' : createHash('sha256').update(json).digest('hex');
}
