import type { AgentCounters } from '#agent/admin/metrics.ts';
import type { InboundPortConfig } from '#agent/config-types.ts';
import type { AgentEmit } from '#agent/events.ts';
import type { Deadlines } from '#agent/http/deadlines.ts';
import type { ExchangeLimits } from '#agent/http/exchange.ts';
import type { HttpTimes } from '#agent/http/serve.ts';
import type { VerifiedPeer } from '#agent/tls/verified-peer.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { RuleIndex } from '#policy/decide.ts';
import type { Clock } from '#runtime/clock.ts';

export interface InboundParts {
  readonly rules: RuleIndex;
  /** Who we are: the `By` of the identity header. */
  readonly self: () => SpiffeId;
  readonly counters: AgentCounters;
  readonly emit: AgentEmit;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly limits: ExchangeLimits;
  readonly times: HttpTimes;
  readonly whenExpired: 'keep' | 'end';
}

/** One verified peer that wants one of our ports. */
export interface Caller {
  readonly peer: VerifiedPeer;
  readonly port: InboundPortConfig;
}
