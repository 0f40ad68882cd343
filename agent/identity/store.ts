import type { KeyObject } from 'node:crypto';
import type { X509Svid } from '#certs/svid.ts';
import type { TrustBundle } from '#certs/trust-bundle.ts';

export interface Identity {
  readonly svid: X509Svid;
  readonly privateKey: KeyObject;
  readonly bundle: TrustBundle;
  /** Where the life of the SVID counts from, on our own clock. */
  readonly issuedAtMs: number;
}

/** Leaf, key and bundle as they were checked together; frozen. */
export interface IdentitySnapshot extends Identity {
  /** Counts up from 1 with every `replace`. */
  readonly generation: number;
}

export interface IdentityStore {
  /** The last good identity; undefined before the first. May have expired: the caller looks at the time. */
  current(): IdentitySnapshot | undefined;
  /** Publishes an identity that was verified by the caller. Listeners have run when it returns. */
  replace(next: Identity): IdentitySnapshot;
  /** Calls `listener` with every later snapshot, until the returned function is called. */
  subscribe(listener: (snapshot: IdentitySnapshot) => void): () => void;
  /** The current snapshot, or the first one to come; rejects with the signal's reason. */
  first(signal: AbortSignal): Promise<IdentitySnapshot>;
}

export function createIdentityStore(): IdentityStore {
  let snapshot: IdentitySnapshot | undefined;
  const listeners = new Set<(snapshot: IdentitySnapshot) => void>();

  function subscribe(listener: (snapshot: IdentitySnapshot) => void): () => void {
    const entry = (next: IdentitySnapshot) => listener(next); // one entry per call, even for the same function
    listeners.add(entry);
    return () => listeners.delete(entry);
  }

  return {
    current: () => snapshot,
    replace(next) {
      const { svid, privateKey, bundle, issuedAtMs } = next;
      const generation = (snapshot?.generation ?? 0) + 1;
      const published = Object.freeze({ svid, privateKey, bundle, issuedAtMs, generation });
      snapshot = published;
      for (const listener of [...listeners]) listener(published);
      return published;
    },
    subscribe,
    first(signal) {
      if (signal.aborted) return Promise.reject(signal.reason);
      if (snapshot !== undefined) return Promise.resolve(snapshot);
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          unsubscribe();
          reject(signal.reason);
        };
        const unsubscribe = subscribe((next) => {
          unsubscribe();
          signal.removeEventListener('abort', onAbort);
          resolve(next);
        });
        signal.addEventListener('abort', onAbort, { once: true });
      });
    },
  };
}
