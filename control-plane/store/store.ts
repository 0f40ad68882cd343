import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { DeclaredPort, Endpoint, PolicyDocument, PolicyRef } from '#proto/messages.ts';
import type { AuditEntry, AuditRow } from '#control-plane/audit/record.ts';
import type { RegistrationReader, RegistrationWriter } from './registrations.ts';
import type { SigningKeyReader, SigningKeyWriter } from './signing-keys.ts';

export type AuthorityKind = 'root' | 'intermediate';

export interface StoredAuthority {
  readonly kind: AuthorityKind;
  readonly certificateDer: Buffer;
  /** PKCS#8, encrypted: see ca/sealing.ts. */
  readonly sealedKey: Buffer;
}

/** How the CA's keys were encrypted; set once, at first start. */
export interface KeyEncryption {
  readonly source: 'key-file' | 'passphrase';
  readonly salt: Buffer;
}

export interface RegisteredWorkload {
  readonly name: string;
  readonly namespace: string;
  readonly spiffeId: SpiffeId;
  readonly issued: number;
  /** Of the newest SVID; 0 before the first. */
  readonly notAfterMs: number;
}

export interface StoredJoinToken {
  readonly id: string;
  /** SHA-256 of the token's secret part. */
  readonly secretHash: Buffer;
  readonly spiffeId: SpiffeId;
  readonly expiresAtMs: number;
  readonly usedAtMs: number | undefined;
}

export interface IssuedCertificate {
  readonly serial: string;
  readonly spiffeId: SpiffeId;
  readonly keyThumbprint: string;
  readonly issuedAtMs: number;
  readonly notAfterMs: number;
}

export interface StoredEndpoint extends Endpoint {
  readonly spiffeId: SpiffeId;
}

export interface StoredPort extends DeclaredPort {
  readonly spiffeId: SpiffeId;
}

export interface StoredPolicy extends PolicyDocument {
  /** Of the mesh, when it was last changed. */
  readonly revision: number;
  /** The file it comes from; empty: applied by the operator. */
  readonly source: string;
}

/** What can be asked at any time. */
export interface Reader extends RegistrationReader, SigningKeyReader {
  trustDomain(): string | undefined;
  keyEncryption(): KeyEncryption | undefined;
  /** Oldest first. */
  authorities(): readonly StoredAuthority[];
  workloads(): readonly RegisteredWorkload[];
  /** One at least. */
  hasWorkloads(): boolean;
  workloadByName(name: string): RegisteredWorkload | undefined;
  workloadById(spiffeId: SpiffeId): RegisteredWorkload | undefined;
  joinToken(id: string): StoredJoinToken | undefined;
  /** Whose certificates held this key (hex thumbprint) so far. */
  ownerOfKey(keyThumbprint: string): SpiffeId | undefined;
  endpoints(): readonly StoredEndpoint[];
  /** As last declared. A port at which agents of a workload take different things is there once for each. */
  ports(): readonly StoredPort[];
  /** By the revision of their last change. */
  policies(): readonly StoredPolicy[];
  /** Counts the changes of policies; 0 before the first. */
  policyRevision(): number;
  auditHead(): Pick<AuditRow, 'seq' | 'hash'>;
  auditRows(): Iterable<AuditRow>;
  /** At most `most` of those that follow the one of this number, in order. */
  auditRowsAfter(seq: number, most: number): readonly AuditRow[];
}

/** What a write job may do; reads within it see its own writes. */
export interface Writer extends Reader, RegistrationWriter, SigningKeyWriter {
  setUp(trustDomain: string, keyEncryption: KeyEncryption): void;
  addAuthority(authority: StoredAuthority): void;
  addWorkload(workload: Pick<RegisteredWorkload, 'name' | 'namespace' | 'spiffeId'>): void;
  addJoinToken(token: Omit<StoredJoinToken, 'usedAtMs'>): void;
  /** `spent` also when it was used before or is unknown. */
  spendJoinToken(id: string, nowMs: number): 'done' | 'spent';
  /** Throws on a serial that was used before. */
  addCertificate(certificate: IssuedCertificate): void;
  addEndpoint(endpoint: StoredEndpoint): void;
  removeEndpoint(endpoint: StoredEndpoint): void;
  /** In the place of all that the workload had. */
  setPorts(spiffeId: SpiffeId, ports: readonly DeclaredPort[]): void;
  /** New, or in place of the one with these names. */
  putPolicy(policy: StoredPolicy): void;
  removePolicy(ref: PolicyRef): void;
  /** Throws on one that is not greater than the last. */
  setPolicyRevision(revision: number): void;
  audit(atMs: number, entry: AuditEntry): void;
}

export interface Store extends Reader {
  /**
   * Runs `job` in a transaction; resolves when it is on disk. Jobs of one event-loop turn, and under load
   * of a few turns, share one transaction: when one throws, all are undone and rejected.
   */
  write<T>(job: (writer: Writer) => T): Promise<T>;
  /** Waits for nothing: what was not committed yet is rejected. */
  close(): void;
}
