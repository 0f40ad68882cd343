import type { SpiffeId } from '#certs/spiffe-id.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { stateOf, type Client, type ClientSecret, type Registration, type RegistryRef, type Service } from './model.ts';

export interface RegisteredClient extends Client {
  /** Of this registration; a later one of the same name has another. */
  readonly id: string;
  readonly secrets: readonly ClientSecret[];
}

export interface RegisteredService extends Service {
  readonly id: string;
}

/** Why there is none to speak of: nobody has the name (any more), nothing of it was approved yet, or it was disabled. */
export type NoClient = 'unregistered' | 'pending' | 'disabled';

/** Something became different; whoever decided by what was may decide again. */
export interface RegistryNews extends RegistryRef {
  readonly id: string;
  readonly change: 'in-force' | 'disabled' | 'enabled' | 'deleted';
}

/** What is in force, in memory: for each token request. Reads wait for nothing and make no objects. */
export interface Registry {
  /** Grows with each change. */
  version(): number;
  client(clientId: string): Result<RegisteredClient, NoClient>;
  /** The client that this SVID proves (RFC 8705 `tls_client_auth` by `san_uri`). */
  clientBySpiffeId(spiffeId: SpiffeId): Result<RegisteredClient, NoClient>;
  service(audience: string): Result<RegisteredService, NoClient>;
  /** Called after each change with what it was; the answer ends it. A listener that throws does not stop the others. */
  onNews(listener: (news: RegistryNews) => void): () => void;
}

export interface RegistryMemory {
  readonly registry: Registry;
  put(registration: Registration): void;
  remove(registration: RegistryRef): void;
  tell(news: RegistryNews): void;
}

const unregistered = refuse('unregistered' as const);
const refusals = {
  pending: refuse('pending' as const),
  disabled: refuse('disabled' as const),
  approved: unregistered, // of another kind than its name says, which no document is
};

/** `onFault` hears what a listener threw. */
export function createRegistryMemory(onFault: (error: unknown) => void): RegistryMemory {
  const clients = new Map<string, Result<RegisteredClient, NoClient>>();
  const services = new Map<string, Result<RegisteredService, NoClient>>();
  const listeners = new Set<(news: RegistryNews) => void>();
  let version = 0;
  const client = (clientId: string): Result<RegisteredClient, NoClient> => clients.get(clientId) ?? unregistered;
  const registry: Registry = {
    version: () => version,
    client,
    clientBySpiffeId: client, // a client has a SPIFFE ID for its name if and only if it proves it by its SVID
    service: (audience) => services.get(audience) ?? unregistered,
    onNews(listener) {
      const own = (news: RegistryNews): void => listener(news); // one listener may come twice
      listeners.add(own);
      return () => void listeners.delete(own);
    },
  };
  return {
    registry,
    put(registration) {
      const { kind, name, id, inForce, secrets } = registration;
      const state = stateOf(registration);
      const document = inForce?.document;
      version += 1;
      if (kind === 'Client') {
        const isServed = state === 'approved' && document?.kind === 'Client';
        clients.set(name, isServed ? ok(Object.freeze({ ...document, id, secrets })) : refusals[state]);
      } else {
        const isServed = state === 'approved' && document?.kind === 'Service';
        services.set(name, isServed ? ok(Object.freeze({ ...document, id })) : refusals[state]);
      }
    },
    remove({ kind, name }) {
      version += 1;
      if (kind === 'Client') clients.delete(name);
      else services.delete(name);
    },
    tell(news) {
      for (const listener of listeners) {
        try {
          listener(news);
        } catch (error) {
          onFault(error);
        }
      }
    },
  };
}
