import type { InboundPortConfig, PortTokenConfig } from '#agent/config-types.ts';
import type { AgentCounters } from '#agent/admin/metrics.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { Clock } from '#runtime/clock.ts';
import { parseAudience, type Audience } from '#tokens/claims.ts';
import type { KnownKeys } from './known-keys.ts';
import { TokenJudge } from './token-judge.ts';

export interface PortJudgesParts {
  readonly keys: KnownKeys;
  readonly counters: AgentCounters;
  readonly clock: Clock;
  /** Who we are: whom tokens must be for where a port names no other audience. */
  readonly self: () => SpiffeId;
}

/** Judges of ports, made when the first caller comes: ports that ask the same share one, and what it remembers. */
export class PortJudges {
  readonly #parts: PortJudgesParts;
  readonly #judges = new Map<string, TokenJudge>();

  constructor(parts: PortJudgesParts) {
    this.#parts = parts;
  }

  of({ token }: InboundPortConfig): { readonly config: PortTokenConfig; readonly judge: TokenJudge } | undefined {
    if (token === undefined) return undefined;
    const audience = token.audience ?? this.#ownAudience();
    const key = `${token.mode} ${token.unbound} ${audience}`;
    let judge = this.#judges.get(key);
    if (judge === undefined) {
      const { keys, clock, counters } = this.#parts;
      judge = new TokenJudge({ keys, clock, audience, rules: token, onVerified: () => (counters.tokensVerified += 1) });
      this.#judges.set(key, judge);
    }
    return { config: token, judge };
  }

  #ownAudience(): Audience {
    const own = parseAudience(this.#parts.self());
    if (!own.ok) throw new Error('a SPIFFE ID is an audience');
    return own.value;
  }
}
