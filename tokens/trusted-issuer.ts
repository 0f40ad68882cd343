import type { KeySet } from './jwks.ts';
import type { SubjectRules } from './subjects.ts';

/** Claims of an access token that a foreign issuer may have under another name. */
export type MappedClaim = 'client_id' | 'jti' | 'name' | 'preferred_username' | 'roles' | 'scope' | 'tenant';

/** Our name → the issuer's, e.g. `scope: 'scp'`, `client_id: 'appid'`. What is not in it is looked for under our name. */
export type ClaimMap = Readonly<Partial<Record<MappedClaim, string>>>;

/** An issuer of access tokens that the configuration names. A token's `iss` only chooses among these (A13, S71). */
export interface TrustedIssuer {
  /** Compared byte for byte. */
  readonly issuer: string;
  readonly keys: KeySet;
  /** `JWT`: for issuers that do not know RFC 9068, by explicit choice. */
  readonly typ: 'at+jwt' | 'JWT';
  readonly claimMap: ClaimMap;
  readonly subjects: SubjectRules;
  readonly maxLifetimeSeconds: number;
}

export type TrustedIssuers = ReadonlyMap<string, TrustedIssuer>;
