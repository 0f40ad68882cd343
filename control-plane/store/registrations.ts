import type { Actor, ClientSecret, RegistryRef, Tombstone } from '#control-plane/registry/model.ts';
import type { Role } from '#control-plane/operators/roles.ts';

/** What waits for approval, as it was written. */
export interface StoredProposal {
  readonly json: string;
  readonly by: Actor;
  readonly atMs: number;
  readonly secretOverlapMs: number;
}

export interface StoredRegistration extends RegistryRef {
  readonly id: string;
  readonly revision: number;
  readonly isDisabled: boolean;
  /** JSON of what is in force; empty: nothing was approved yet. */
  readonly json: string;
  readonly proposal: StoredProposal | undefined;
  readonly registeredBy: Actor;
  readonly approvedBy: Actor | undefined;
  readonly changedAtMs: number;
  /** Oldest first. */
  readonly secrets: readonly ClientSecret[];
}

export interface StoredOperator extends Actor {
  readonly roles: readonly Role[];
  /** SHA-256 of the credential's secret part; its id is the operator's. */
  readonly secretHash: Buffer;
  readonly addedAtMs: number;
}

export interface RegistrationReader {
  /** By kind and name. */
  registrations(): readonly StoredRegistration[];
  tombstones(): readonly Tombstone[];
  /** By name. */
  operators(): readonly StoredOperator[];
}

export interface RegistrationWriter extends RegistrationReader {
  /** New, or in place of the one with its id; throws where another one has its name. */
  putRegistration(registration: StoredRegistration): void;
  /** Its secrets go with it. */
  removeRegistration(id: string): void;
  /** In place of the one before, of the same name. */
  putTombstone(tombstone: Tombstone): void;
  /** Those that hold nothing any more. */
  removeTombstones(nowMs: number): void;
  /** Throws where there is one of that name. */
  addOperator(operator: StoredOperator): void;
  removeOperator(id: string): void;
}
