import type { ControlPlaneEvent } from '#control-plane/events.ts';
import { createRateLimiter } from '#control-plane/limits.ts';
import { createAuthorize } from '#control-plane/operators/authorize.ts';
import { createOperators } from '#control-plane/operators/operators.ts';
import { createRefusalRecorder } from '#control-plane/operators/refusals.ts';
import { createRegistryKeeper } from '#control-plane/registry/keeper.ts';
import type { Registry } from '#control-plane/registry/registry.ts';
import type { Store } from '#control-plane/store/store.ts';
import type { RegistryHandlers } from '#proto/registry-admin.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Emit } from '#runtime/log.ts';
import { createOperatorHandlers } from './operators.ts';
import { createRegistryHandlers } from './registry.ts';
import { createSigningKeyHandlers, type SigningKeyDesk } from './signing-keys.ts';

export interface AdministrationParts {
  readonly store: Store;
  readonly svidLifeMs: number;
  readonly clock: Clock;
  readonly emit: Emit<ControlPlaneEvent>;
  /** Of the token service; called when somebody asks. Undefined: there is none. */
  signingKeys(): SigningKeyDesk | undefined;
  onFault(error: unknown): void;
}

/** Who may ask for tokens, and who decides that. */
export interface Administration {
  readonly registry: Registry;
  readonly handlers: RegistryHandlers;
}

/** Credentials that nobody has: 256 random bits are not guessed, but somebody who tries shall be seen and cost little. */
const failedCredentials = { burst: 10, perSecond: 0.2 };
/** What one operator is refused goes into the audit log one by one up to here. */
const refusalsTold = { burst: 100, perSecond: 1 };

export function openAdministration(parts: AdministrationParts): Administration {
  const { store, clock, emit } = parts;
  const recordRefusal = createRefusalRecorder({ store, clock, emit, limiter: createRateLimiter(refusalsTold, clock) });
  const operators = createOperators({ store, clock, emit });
  const failed = createRateLimiter(failedCredentials, clock);
  const authorize = createAuthorize({ operators, failed, record: recordRefusal });
  const registrations = createRegistryKeeper(parts);
  return {
    registry: registrations.registry,
    handlers: {
      ...createRegistryHandlers({ registrations, authorize, recordRefusal, clock }),
      ...createOperatorHandlers({ operators, store, authorize, recordRefusal }),
      ...createSigningKeyHandlers({ desk: () => parts.signingKeys(), authorize, recordRefusal }),
    },
  };
}
