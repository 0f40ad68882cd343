import type { PortJudges } from '#agent/tokens/port-judges.ts';
import type { Clock } from '#runtime/clock.ts';
import type { TokensOf } from './port-tokens.ts';
import { TokenEnds } from './token-ends.ts';

export interface TokensOfParts {
  readonly judges: PortJudges;
  readonly clock: Clock;
  readonly whenExpired: 'keep' | 'end';
  /** Tokens of running requests have expired. */
  readonly onExpired: () => void;
}

/** What each port asks of tokens. `end`: requests that still run when their token has expired end then. */
export function createTokensOf({ judges, clock, whenExpired, onExpired }: TokensOfParts): TokensOf {
  const ends = whenExpired === 'end' ? new TokenEnds(clock, onExpired) : undefined;
  const onAdmitted = ends && ((endMs: number): void => ends.add(endMs));
  return (port) => {
    const judged = judges.of(port);
    return judged && { ...judged, whenExpired, clock, onAdmitted };
  };
}
