import type { H2Session } from '#agent/h2/types.ts';
import type { SessionSource, SessionWaiter } from '#agent/http/h2/h2-upstream.ts';
import type { Random } from '#runtime/clock.ts';
import { refuse, type Result } from '#runtime/result.ts';
import type { Endpoint, EndpointUser } from './endpoint.ts';
import { EndpointChoice, type Choosable } from './endpoint-choice.ts';
import type { OpenProblem } from './peer.ts';
import type { PeerSession } from './peer-session.ts';
import { tryEndpoints, type TryParts } from './try-endpoints.ts';
import type { UpstreamLimits } from './upstream-limits.ts';
import type { SessionWay } from './way.ts';

export interface SessionsParts extends TryParts {
  readonly random: Random;
  readonly limits: UpstreamLimits;
}

/** The sessions to one peer, for its HTTP/2 requests: each is for the endpoint with less to do of two. */
export class PeerSessions implements SessionSource<OpenProblem> {
  readonly #parts: SessionsParts;
  readonly #choice: EndpointChoice<SessionPlace>;
  readonly #waiting = new Set<SessionWaiter<OpenProblem>>();

  constructor(parts: SessionsParts) {
    this.#parts = parts;
    this.#choice = new EndpointChoice(parts);
  }

  /** From now on these are the peer's: new ones are used at once, those that left finish what they have. */
  replaceEndpoints(endpoints: readonly Endpoint<SessionWay>[]): void {
    const before = new Map(this.#choice.all.map((place) => [place.endpoint, place]));
    const places = endpoints.map((endpoint) => before.get(endpoint) ?? new SessionPlace(endpoint, this.#choice));
    this.#choice.replace(places);
    for (const place of before.values()) if (!places.includes(place)) place.leave();
  }

  session(waiter: SessionWaiter<OpenProblem>): H2Session | undefined {
    const place = this.#choice.choose();
    const session = place?.endpoint.way.ready();
    if (session !== undefined && !this.#isTooMuch(place!.load)) return session.h2;
    this.#waiting.add(waiter);
    void this.#obtainFor(waiter);
    return undefined;
  }

  forget(waiter: SessionWaiter<OpenProblem>): void {
    this.#waiting.delete(waiter);
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
      ({ endpoint }, deadlineMs) => endpoint.attempt(deadlineMs, () => endpoint.way.obtain(deadlineMs)),
      this.#parts,
    );
    return obtained.ok ? { ok: true, value: obtained.value.value } : obtained;
  }

  /** What the chosen endpoint carries tells of all of them: they are counted only when it is much. */
  #isTooMuch(load: number): boolean {
    const { all } = this.#choice;
    const { maxInFlight } = this.#parts.limits;
    if (load * all.length < maxInFlight) return false;
    return all.reduce((sum, place) => sum + place.load, 0) >= maxInFlight;
  }
}

class SessionPlace implements Choosable, EndpointUser {
  readonly endpoint: Endpoint<SessionWay>;
  readonly #choice: { refresh(): void };

  constructor(endpoint: Endpoint<SessionWay>, choice: { refresh(): void }) {
    this.endpoint = endpoint;
    this.#choice = choice;
    endpoint.users.add(this);
  }

  get load(): number {
    return this.endpoint.load;
  }
  get asideUntilMs(): number {
    return this.endpoint.asideUntilMs;
  }

  leave(): void {
    this.endpoint.users.delete(this);
  }
  letGo(): void {
    // requests are not kept
  }
  onStanding(): void {
    this.#choice.refresh();
  }
}
