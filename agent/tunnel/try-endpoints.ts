import type { Clock } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { Candidate, EndpointChoice } from './endpoint-choice.ts';
import type { OpenProblem, UpstreamLimits } from './peer.ts';

export interface TryParts {
  readonly clock: Clock;
  readonly limits: Pick<UpstreamLimits, 'tryMs' | 'overallMs'>;
  /** Why nothing can be opened at all now. */
  readonly problem: () => OpenProblem | undefined;
}

/**
 * One endpoint after another until `attempt` succeeds at one, within the overall deadline. For before anything of the
 * caller's was sent.
 */
export async function tryEndpoints<C extends Candidate, T>(
  choice: EndpointChoice<C>,
  attempt: (chosen: C, deadlineMs: number) => Promise<Result<T, OpenProblem>>,
  { clock, limits, problem }: TryParts,
): Promise<Result<{ readonly chosen: C; readonly value: T }, OpenProblem>> {
  const giveUpMs = clock.monotonic() + limits.overallMs;
  const tried = new Set<C>();
  let last: OpenProblem = 'no-endpoint';
  for (;;) {
    const impossible = problem();
    if (impossible !== undefined) return refuse(impossible);
    const leftMs = giveUpMs - clock.monotonic();
    const chosen = tried.size === 0 ? choice.choose() : choice.chooseBut(tried);
    if (chosen === undefined || leftMs <= 0) return refuse(last);
    tried.add(chosen);
    const opened = await attempt(chosen, Math.min(limits.tryMs, leftMs));
    if (opened.ok) return ok({ chosen, value: opened.value });
    last = opened.reason;
    if (last === 'refused-by-peer') return opened; // an answer, not a failure: others would say the same
  }
}
