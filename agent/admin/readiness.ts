import type { IdentityStore } from '#agent/identity/store.ts';
import type { Clock } from '#runtime/clock.ts';

/** Why the agent should get no traffic; closed, so that alerts can be written against it. */
export type Blocker =
  | 'starting'
  | 'svid-missing'
  | 'svid-expired'
  | 'identity-files-unusable'
  | 'control-plane-unreachable'
  | 'join-token-refused'
  | 'listeners-not-open'
  | 'worker-silent'
  | 'tokens-missing'
  | 'draining';

export interface BlockerReport {
  readonly name: Blocker;
  /** For a person: what exactly, and what to do. */
  readonly detail: string;
}

export interface WarningReport {
  readonly name: 'svid-expiring';
  readonly atMs: number;
  readonly inMs: number;
}

export interface ReadinessReport {
  readonly ready: boolean;
  readonly blockers: readonly BlockerReport[];
  /** Ready still, but not for long. */
  readonly warnings: readonly WarningReport[];
}

/** Named blockers; empty = ready. `svid-missing`, `svid-expired` and `svid-expiring` are read off the store when asked. */
export interface Readiness {
  block(name: Exclude<Blocker, 'svid-missing' | 'svid-expired'>, detail: string): void;
  clear(name: Blocker): void;
  report(): ReadinessReport;
}

/** With less than this part of its life left, an SVID should have been renewed twice over. */
const expiringShare = 0.25;

export function createReadiness(store: IdentityStore, clock: Clock): Readiness {
  const blocked = new Map<Blocker, string>();

  function ofIdentity(): { blockers: BlockerReport[]; warnings: WarningReport[] } {
    const snapshot = store.current();
    if (snapshot === undefined) return { blockers: [{ name: 'svid-missing', detail: 'no SVID yet' }], warnings: [] };
    const { notAfterMs } = snapshot.svid;
    const leftMs = notAfterMs - clock.now();
    if (leftMs <= 0) {
      return { blockers: [{ name: 'svid-expired', detail: `the SVID expired ${-leftMs} ms ago` }], warnings: [] };
    }
    const isExpiring = leftMs < expiringShare * (notAfterMs - snapshot.issuedAtMs);
    return { blockers: [], warnings: isExpiring ? [{ name: 'svid-expiring', atMs: notAfterMs, inMs: leftMs }] : [] };
  }

  return {
    block: (name, detail) => void blocked.set(name, detail),
    clear: (name) => void blocked.delete(name),
    report() {
      const identity = ofIdentity();
      const blockers = [...identity.blockers, ...Array.from(blocked, ([name, detail]) => ({ name, detail }))];
      return { ready: blockers.length === 0, blockers, warnings: identity.warnings };
    },
  };
}
