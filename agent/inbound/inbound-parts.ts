import type { AccessLog } from '#agent/access-log/access-log.ts';
import type { Room } from '#agent/ceiling.ts';
import type { AgentCounters } from '#agent/admin/metrics.ts';
import type { InboundPortConfig } from '#agent/config-types.ts';
import type { AgentEmit } from '#agent/events.ts';
import type { WorkerPlace } from '#agent/h2/types.ts';
import type { Deadlines } from '#agent/http/deadlines.ts';
import type { IdentityStore } from '#agent/identity/store.ts';
import type { Listen } from '#agent/listen.ts';
import type { HttpTimes, MessageLimits } from '#agent/http/service.ts';
import type { PlaintextLedger } from '#agent/plaintext/plaintext-ledger.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { InboundPeer } from './inbound-peer.ts';
import type { LinkFacts } from './link-facts.ts';
import type { PeerShares } from './peer-shares.ts';
import type { TokensOf } from './port-tokens.ts';
import type { RefusalBook } from './refusal-book.ts';
import type { CompiledPolicy } from '#policy/compile.ts';
import type { Clock } from '#runtime/clock.ts';

/** What an app was found to speak, by port. Forgotten when the app cannot be reached, or not in that. */
export type SpokenByApps = Map<number, 'http' | 'http2'>;

/** What the peers' side of an agent shares. */
export interface InboundParts {
  readonly listen: Listen;
  /** Which of several such sides in this process it is; undefined: the only one. */
  readonly worker: WorkerPlace | undefined;
  readonly identity: IdentityStore;
  /** As they stand now. */
  readonly policy: () => CompiledPolicy;
  readonly refusals: RefusalBook;
  readonly ledger: PlaintextLedger;
  /** The app's ports, in the order of the configuration. */
  readonly ports: ReadonlyMap<number, InboundPortConfig>;
  /** Who we are: the `By` of the identity header. */
  readonly self: () => SpiffeId;
  readonly counters: AgentCounters;
  /** Undefined where none is kept. */
  readonly accessLog: AccessLog | undefined;
  readonly emit: AgentEmit;
  readonly clock: Clock;
  readonly randomBytes: (size: number) => Buffer;
  readonly deadlines: Deadlines;
  readonly limits: MessageLimits;
  readonly times: HttpTimes;
  readonly whenExpired: 'keep' | 'end';
  readonly tokensOf: TokensOf;
  /** Ports that are opaque at once where their protocol is `auto`. */
  readonly serverFirst: ReadonlySet<number>;
  /** Open at once, on all listeners together. */
  readonly maxConnections: number;
  /** What each peer may have at once. */
  readonly shares: PeerShares;
  readonly spoken: SpokenByApps;
  /** Ports whose app has answered in HTTP: what `auto` would take for opaque there is nothing that it speaks. */
  readonly answeringHttp: Set<number>;
}

/** Whose connection it is. */
export interface Proof {
  readonly link: LinkFacts;
  /** Who the other end proved to be the last time, where it proved anything. */
  readonly peer: InboundPeer;
}

/** What serves one connection of a peer. */
export interface CallerParts extends InboundParts {
  /** Requests. */
  readonly inFlight: Room;
  /** Opaque ones and upgraded ones, each with a connection to the app. */
  readonly streams: Room;
}
