import type { H2Session } from '#agent/h2/types.ts';
import type { SessionSource, SessionWaiter } from '#agent/http/h2/h2-upstream.ts';
import type { Random } from '#runtime/clock.ts';
import { refuse, type Result } from '#runtime/result.ts';
import type { Endpoint, EndpointUser } from './endpoint.ts';
import { EndpointChoice } from './endpoint-choice.ts';
import type { OpenProblem, UpstreamLimits } from './peer.ts';
import type { PeerSession } from './peer-session.ts';
import type { SessionDialer } from './session-dialer.ts';
import { tryEndpoints, type TryParts } from './try-endpoints.ts';

export interface SessionsParts extends TryParts {
  readonly random: Random;
  readonly limits: UpstreamLimits;
}

/** The sessions to one peer, for its HTTP/2 requests: each is for the endpoint with less to do of two. */
export class PeerSessions implements SessionSource<OpenProblem>, EndpointUser {
  readonly #parts: SessionsParts;
  readonly #choice: EndpointChoice<Endpoint<SessionDialer>>;
  readonly #waiting = new Set<SessionWaiter<OpenProblem>>();

  constructor(parts: SessionsParts) {
    this.#parts = parts;
    this.#choice = new EndpointChoice(parts);
  }

  /** From now on these are the peer's: new ones are used at once, those that left finish what they have. */
  replaceEndpoints(endpoints: readonly Endpoint<SessionDialer>[]): void {
    for (const endpoint of endpoints) endpoint.users.add(this);
    for (const left of this.#choice.replace(endpoints)) left.users.delete(this);
  }

  session(waiter: SessionWaiter<OpenProblem>): H2Session | undefined {
    const endpoint = this.#choice.choose();
    const session = endpoint?.dialer.ready();
    if (session !== undefined && !this.#isTooMuch(endpoint!.load)) return session.h2;
    this.#waiting.add(waiter);
    void this.#obtainFor(waiter);
    return undefined;
  }

  forget(waiter: SessionWaiter<OpenProblem>): void {
    this.#waiting.delete(waiter);
  }

  onStanding(): void {
    this.#choice.refresh();
  }
  onRetired(): void {
    // requests are not kept
  }

  async #obtainFor(waiter: SessionWaiter<OpenProblem>): Promise<void> {
    for (;;) {
      const obtained = await this.#obtain();
      if (!this.#waiting.has(waiter)) return undefined;
      if (obtained.ok && obtained.value.isFull) continue; // others were first: another session is made, or refused
      this.#waiting.delete(waiter);
      return obtained.ok ? waiter.onSession(obtained.value.h2) : waiter.onUnreachable(obtained.reason);
    }
  }

  async #obtain(): Promise<Result<PeerSession, OpenProblem>> {
    const isTooMuch = this.#waiting.size > this.#parts.limits.maxPending || this.#isTooMuch(Infinity);
    if (isTooMuch) return refuse('too-many-requests-in-flight');
    const obtained = await tryEndpoints(
      this.#choice,
      (endpoint, deadlineMs) => endpoint.attempt(deadlineMs, () => endpoint.dialer.obtain(deadlineMs)),
      this.#parts,
    );
    return obtained.ok ? { ok: true, value: obtained.value.value } : obtained;
  }

  /** What the chosen endpoint carries tells of all of them: they are counted only when it is much. */
  #isTooMuch(load: number): boolean {
    const { all } = this.#choice;
    const { maxInFlight } = this.#parts.limits;
    if (load * all.length < maxInFlight) return false;
    return all.reduce((sum, endpoint) => sum + endpoint.load, 0) >= maxInFlight;
  }
}
