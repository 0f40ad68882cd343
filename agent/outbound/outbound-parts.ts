import type { AccessLog } from '#agent/access-log/access-log.ts';
import type { Room } from '#agent/ceiling.ts';
import type { AgentCounters } from '#agent/admin/metrics.ts';
import type { AgentEmit } from '#agent/events.ts';
import type { Deadlines } from '#agent/http/deadlines.ts';
import type { HttpTimes, MessageLimits } from '#agent/http/service.ts';
import type { Listen } from '#agent/listen.ts';
import type { PeerPool } from '#agent/tunnel/peer-pool.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Destinations } from './destination.ts';
import type { AttachTo } from './outlet.ts';

/** What the app's side of an agent shares. */
export interface OutboundParts {
  readonly listen: Listen;
  readonly pool: PeerPool;
  readonly destinations: Destinations;
  /** Undefined where nothing is attached. */
  readonly attach?: AttachTo | undefined;
  readonly counters: AgentCounters;
  /** Undefined where none is kept. */
  readonly accessLog: AccessLog | undefined;
  readonly emit: AgentEmit;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly limits: MessageLimits;
  readonly times: HttpTimes;
  /** Ports that are opaque at once where their protocol is `auto`. */
  readonly serverFirst: ReadonlySet<number>;
  /** Open at once, on all listeners together. */
  readonly maxConnections: number;
  /** Requests. */
  readonly inFlight: Room;
}
