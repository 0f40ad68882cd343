import type { H2Session } from '#agent/h2/types.ts';
import type { SessionSource, SessionWaiter } from '#agent/http/h2/h2-upstream.ts';
import type { Random } from '#runtime/clock.ts';
import { refuse, type Result } from '#runtime/result.ts';
import type { Endpoint, EndpointUser } from './endpoint.ts';
import { EndpointChoice } from './endpoint-choice.ts';
import type { OpenProblem, UpstreamLimits } from './peer.ts';
import { peerSessionOf, type PeerSession } from './peer-session.ts';
import type { SessionDialer } from './session-dialer.ts';
import { tryEndpoints, type TryParts } from './try-endpoints.ts';

export interface SessionsParts extends TryParts {
  readonly random: Random;
  readonly limits: UpstreamLimits;
}

/** How often a request waits for what is to be attached. */
const maxWaits = 3;

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
    if (session !== undefined && hasField(waiter, session) && !this.#isTooMuch(endpoint!.load)) return session.h2;
    this.#waiting.add(waiter);
    void this.#obtainFor(waiter);
    return undefined;
  }

  forget(waiter: SessionWaiter<OpenProblem>): void {
    this.#waiting.delete(waiter);
  }

  ownThumbprint(session: H2Session): string {
    return peerSessionOf(session)?.ownThumbprint ?? '';
  }

  onStanding(): void {
    this.#choice.refresh();
  }
  onRetired(): void {
    // requests are not kept
  }

  async #obtainFor(waiter: SessionWaiter<OpenProblem>): Promise<void> {
    for (let waits = 0; ;) {
      const obtained = await this.#obtain();
      if (!this.#waiting.has(waiter)) return undefined;
      if (!obtained.ok) return this.#refuse(waiter, obtained.reason);
      const session = obtained.value;
      if (session.isFull) continue; // others were first: another session is made, or refused
      if (hasField(waiter, session)) {
        this.#waiting.delete(waiter);
        return waiter.onSession(session.h2);
      }
      const field = await waiter.attachment!.obtain(session.ownThumbprint, this.#parts.limits.tryMs);
      if (!this.#waiting.has(waiter)) return undefined;
      if (!field.ok) return this.#refuse(waiter, field.reason);
      waits += 1; // meanwhile the session may have gone, or another certificate been shown on it
      if (waits === maxWaits) return this.#refuse(waiter, 'no-token');
    }
  }

  #refuse(waiter: SessionWaiter<OpenProblem>, problem: OpenProblem): void {
    this.#waiting.delete(waiter);
    waiter.onUnreachable(problem);
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

/** Nothing is to be attached, or it is there for the certificate of this session. */
function hasField({ attachment }: SessionWaiter<OpenProblem>, { ownThumbprint }: PeerSession): boolean {
  return attachment === undefined || attachment.field(ownThumbprint) !== undefined;
}
