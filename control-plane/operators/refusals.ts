import type { ControlPlaneEvent } from '#control-plane/events.ts';
import type { RateLimiter } from '#control-plane/limits.ts';
import type { Actor } from '#control-plane/registry/model.ts';
import type { Store } from '#control-plane/store/store.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Emit } from '#runtime/log.ts';

export interface AdministrationRefusal {
  readonly action: string;
  /** What it was about, e.g. `Client/cart`; empty: nothing in particular. */
  readonly subject: string;
  readonly reason: string;
  /** Undefined: nobody that we know. */
  readonly by: Actor | undefined;
  /** 0: it is counted in a later one. */
  readonly repeats?: number;
}

export interface RefusalRecorderParts {
  readonly store: Pick<Store, 'write'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly emit: Emit<ControlPlaneEvent>;
  /** By operator: more than these are gathered for 10 s. */
  readonly limiter: RateLimiter;
}

/** Resolves when the audit log has it. */
export type RecordRefusal = (refusal: AdministrationRefusal) => Promise<void>;

/** It may be anything that a caller wrote. */
const maxSubjectLength = 300;
const nobody: Actor = { id: '', name: '' };

/** Writes what an operator was refused into the audit log, so that it is on disk before they hear of it. */
export function createRefusalRecorder({ store, clock, emit, limiter }: RefusalRecorderParts): RecordRefusal {
  return async ({ action, reason, by = nobody, repeats = 1, ...refusal }) => {
    const subject = refusal.subject.slice(0, maxSubjectLength);
    if (repeats === 0) return;
    const admission = limiter.take(by.id);
    const told = admission.admitted ? repeats : admission.report;
    if (told === 0) return;
    const { id: operatorId, name: operator } = by;
    await store.write((writer) =>
      writer.audit(clock.now(), {
        kind: 'administration-refused',
        action,
        subject,
        reason,
        operator,
        operatorId,
        repeats: told,
      }),
    );
    emit({ event: 'administration.refused', action, subject, reason, operator, repeats: told });
  };
}
