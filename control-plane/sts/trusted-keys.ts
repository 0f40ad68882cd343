import { maxTokenLifeMs } from '#control-plane/registry/model.ts';
import { Fault } from '#runtime/fault.ts';
import { readKeySet } from '#tokens/jwks.ts';
import type { SubjectRules } from '#tokens/subjects.ts';
import type { TrustedIssuer, TrustedIssuers } from '#tokens/trusted-issuer.ts';
import type { SigningKeys } from './signing-keys.ts';

export interface TrustedKeys {
  /** Us, by what is published now, and the others. */
  readonly issuers: () => TrustedIssuers;
  /** Grows with each change of the keys. */
  readonly epoch: () => number;
  /** Whom tokens of ours may name: the workloads of the trust domain, and clients and users by name. */
  readonly ownSubjects: SubjectRules;
}

export function createTrustedKeys(parts: {
  readonly issuer: string;
  readonly trustDomain: string;
  readonly keys: Pick<SigningKeys, 'published'>;
  readonly foreignIssuers?: readonly TrustedIssuer[];
}): TrustedKeys {
  const { issuer, trustDomain, keys, foreignIssuers = [] } = parts;
  const ownSubjects = { trustDomains: [trustDomain], ownNames: 'accept' } as const;
  let version = -1;
  let issuers: TrustedIssuers = new Map();

  function current(): TrustedIssuers {
    const published = keys.published();
    if (published.version === version) return issuers;
    const set = readKeySet(Buffer.from(published.jwks), { algorithms: ['ES256'], use: 'sig' });
    if (!set.ok) throw new Fault('SIGNING_KEYS_UNREADABLE', `our own keys cannot be read: ${set.reason}`);
    const us: TrustedIssuer = {
      issuer,
      keys: set.value,
      typ: 'at+jwt',
      claimMap: {},
      subjects: ownSubjects,
      maxLifetimeSeconds: maxTokenLifeMs / 1000,
    };
    issuers = new Map([...foreignIssuers.map((each) => [each.issuer, each] as const), [issuer, us]]);
    version = published.version;
    return issuers;
  }

  return { issuers: current, epoch: () => keys.published().version, ownSubjects };
}
