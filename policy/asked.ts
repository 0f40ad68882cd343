import type { Call, WorkloadFacts } from './model.ts';
import { scheme } from './patterns.ts';

/** A call as rules are asked about it. */
export class Asked {
  readonly call: Call;
  /** The path that is judged; undefined: opaque. */
  readonly path: string | undefined;
  readonly #ownIds: string;
  #isForeign: boolean | undefined;

  /** `ownIds`: what the SPIFFE IDs of the workload's own trust domain begin with. */
  constructor(call: Call, path: string | undefined, ownIds: string) {
    this.call = call;
    this.path = path;
    this.#ownIds = ownIds;
  }

  /** The caller is of another trust domain than the workload. Most decisions need not know. */
  get isForeign(): boolean {
    return (this.#isForeign ??= isForeign(this.call, this.#ownIds));
  }
}

function isForeign({ principal }: Call, ownIds: string): boolean {
  return principal !== undefined && principal.slice(0, ownIds.length) !== ownIds; // faster than startsWith here
}

/** `spiffe://prod.example/`. */
export function ownIdsOf({ trustDomain }: Pick<WorkloadFacts, 'trustDomain'>): string {
  return `${scheme}${trustDomain}/`;
}

/**
 * Where something cannot be told, or several values of a header say different things: `narrow` takes it for no match (of
 * what admits), `wide` for one (of what refuses or notes). So doubt never lets anybody in.
 */
export type Doubt = 'narrow' | 'wide';

export type Test = (asked: Asked) => boolean;

/** Without its scheme. */
export const principalOf = ({ call }: Asked): string | undefined => call.principal?.slice(scheme.length);

/** `ns/<namespace>/sa/<service account>` behind the trust domain; other IDs have no namespace. */
const namespaceForm = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/[^/]+$/;

export function namespaceOf({ call }: Asked): string | undefined {
  return call.principal && namespaceForm.exec(call.principal)?.[1];
}
