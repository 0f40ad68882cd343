import type { IdentityStore } from '#agent/identity/store.ts';
import type { Clock, Timer } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { singleFlight } from '#runtime/single-flight.ts';
import { authorityOf } from './authority.ts';
import type { Dialer, DialOrder, OnRetired, PeerStream, Target } from './dialer.ts';
import type { OpenProblem } from './peer.ts';
import type { PeerSession, SessionOwner } from './peer-session.ts';
import { WorkerSpread } from './worker-spread.ts';

export interface SessionDialerParts {
  readonly identity: IdentityStore;
  readonly clock: Clock;
  /** Dials, verifies, and waits for the peer's SETTINGS. */
  readonly connect: (target: Target, owner: SessionOwner) => Promise<Result<PeerSession, OpenProblem>>;
  readonly onRetired: OnRetired;
}

/** How often, at most, a session that still serves is tried to be renewed. */
const renewEveryMs = 1_000;

/** Sessions that one stream is tried on. */
const maxAttempts = 3;

/** Where a peer allows few streams on one connection, so many connections at most. */
const maxSessions = 8;

/**
 * The sessions to one address and name. One serves; when our identity is replaced or one of its certificates ages, a
 * new one is made first, then it is retired. What cannot be renewed goes on until its hard end: the last good stays.
 * Further ones are made while all are full, and to other workers of the peer's agent while there is much to do.
 */
export class SessionDialer implements Dialer, SessionOwner {
  /** The peer's agent never ends an idle stream. */
  readonly idleMs = Infinity;
  readonly #target: Target;
  readonly #parts: SessionDialerParts;
  /** The newest first. */
  #serving: PeerSession[] = [];
  readonly #live = new Set<PeerSession>();
  readonly #connect: () => Promise<Result<PeerSession, OpenProblem>>;
  /** Runs from one attempt to renew to the next. */
  #renewing: Timer | undefined;
  readonly #spread = new WorkerSpread();
  #isSpreading = false;
  #wasUsed = false;
  #isLeaving = false;

  constructor(target: Target, parts: SessionDialerParts) {
    this.#target = target;
    this.#parts = parts;
    this.#connect = singleFlight(() => this.#connectNow());
  }

  /** Requests and streams in flight, of all sessions. */
  get load(): number {
    let load = 0;
    for (const session of this.#live) load += session.load;
    return load;
  }
  get connections(): number {
    return this.#live.size;
  }

  /** A session that takes a stream at once; undefined where one must be waited for. */
  ready(): PeerSession | undefined {
    this.#wasUsed = true;
    const first = this.#serving[0];
    this.#mayBeMuch();
    if (this.#serving.length === 1 && first?.state === 'fresh' && !first.isFull) return first;
    return this.#findReady();
  }

  async obtain(deadlineMs: number): Promise<Result<PeerSession, OpenProblem>> {
    const ready = this.ready();
    if (ready !== undefined) return ok(ready);
    if (this.#serving.length >= maxSessions) return refuse('too-many-requests-in-flight');
    this.#isLeaving = false;
    return new Promise((resolve) => {
      const connecting = this.#connect(); // its own deadline comes first: it knows the reason
      const timer = this.#parts.clock.timer(deadlineMs, () => resolve(refuse('unreachable')));
      void connecting.then((connected) => {
        timer.cancel();
        resolve(connected);
      });
    });
  }

  async openStream(order: DialOrder): Promise<Result<PeerStream, OpenProblem>> {
    const opened = await this.#openStream(order);
    this.#mayBeMuch();
    return opened;
  }

  /** What is in use is renewed ahead of need. */
  outdate(): void {
    for (const session of this.#serving) session.outdate();
    this.#spread.again();
    this.#renewing?.cancel();
    this.#renewing = undefined;
    this.#renew();
  }

  forgetUse(): void {
    this.#wasUsed = false;
    this.#mayBeMuch(); // on streams that are kept nothing else tells
  }

  retire(): void {
    this.#isLeaving = true;
    for (const session of [...this.#live]) session.retire();
  }
  destroy(): void {
    this.#isLeaving = true;
    for (const session of [...this.#live]) session.destroy();
  }

  onAging(): void {
    this.#renew();
  }
  onRetired(session: PeerSession): void {
    this.#serving = this.#serving.filter((other) => other !== session);
    this.#parts.onRetired(session);
  }
  onClosed(session: PeerSession): void {
    this.#live.delete(session);
  }

  /** A CONNECT stream. */
  async #openStream(order: DialOrder): Promise<Result<PeerStream, OpenProblem>> {
    const { clock } = this.#parts;
    const authority = authorityOf({ host: this.#target.address.host, port: order.port });
    const giveUpMs = clock.monotonic() + order.deadlineMs;
    for (let attempt = 1; ; attempt += 1) {
      const obtained = await this.obtain(giveUpMs - clock.monotonic());
      if (!obtained.ok) return obtained;
      const connection = obtained.value;
      const opened = await connection.openStream({ ...order, authority, deadlineMs: giveUpMs - clock.monotonic() });
      if (opened.ok) return ok({ pipe: opened.value, connection });
      if (opened.reason === 'full') {
        if (attempt >= maxSessions) return refuse('too-many-requests-in-flight');
        continue; // another session is made, or there are enough
      }
      // It was retired, or said goodbye, just as we chose it; nothing of the app's was sent: the next one is asked.
      const isLate = opened.reason === 'unreachable' && !connection.isUsable;
      if (!isLate || attempt >= maxAttempts) return refuse(opened.reason);
    }
  }

  #findReady(): PeerSession | undefined {
    let best: PeerSession | undefined;
    for (const session of this.#serving) {
      if (!session.isUsable || session.isFull) continue;
      if (best === undefined || isBetter(session, best)) best = session;
    }
    if (best?.state === 'aging') this.#renew(); // it serves on meanwhile: nobody waits for a handshake
    return best;
  }

  #renew(): void {
    const { clock } = this.#parts;
    if (this.#serving.length === 0 || this.#isLeaving) return;
    if (!this.#isInUse()) return [...this.#serving].forEach((session) => session.retire());
    if (this.#renewing !== undefined) return;
    this.#renewing = clock.timer(renewEveryMs, () => {
      this.#renewing = undefined;
      if (this.#serving[0]?.state !== 'fresh') this.#renew(); // it did not work: the last good stays meanwhile
    });
    void this.#connect();
  }

  #isInUse(): boolean {
    return this.#wasUsed || this.load > 0 || this.#serving.some(({ keptStreams }) => keptStreams > 0);
  }

  async #connectNow(): Promise<Result<PeerSession, OpenProblem>> {
    const connected = await this.#parts.connect(this.#target, this);
    if (!connected.ok) return connected;
    const session = connected.value;
    if (!this.#lives(session)) return refuse('unreachable');
    const outdated = this.#serving.filter(({ state }) => state !== 'fresh');
    this.#serving = [session, ...this.#serving.filter(({ state }) => state === 'fresh')];
    for (const old of outdated) old.retire();
    this.#check(session);
    return ok(session);
  }

  #mayBeMuch(): void {
    if (this.#spread.wants(this.#serving)) void this.#spreadOut();
  }

  /** Makes sessions until further workers of the peer have one, or chance was against it for long enough. */
  async #spreadOut(): Promise<void> {
    if (this.#isSpreading || this.#isLeaving) return;
    this.#isSpreading = true;
    while (this.#spread.wants(this.#serving) && !this.#isLeaving) {
      const connected = await this.#parts.connect(this.#target, this);
      if (!connected.ok || !this.#lives(connected.value)) this.#spread.giveUp();
      else this.#join(connected.value);
    }
    this.#isSpreading = false;
  }

  /** A session to another worker takes its part of the streams: as many as the others let go when they become idle. */
  #join(session: PeerSession): void {
    if (this.#spread.judge(session, this.#serving) === 'known') return session.retire();
    this.#serving = [...this.#serving, session];
    for (const other of this.#serving) {
      if (other !== session) other.excess = Math.floor(other.load / this.#serving.length);
    }
    this.#check(session);
  }

  /** False: it said goodbye with its first words. */
  #lives(session: PeerSession): boolean {
    if (session.isClosed) return false;
    this.#live.add(session);
    return !session.isRetired;
  }

  /** While it was being made, more may have happened. */
  #check(session: PeerSession): void {
    if (this.#isLeaving) session.retire();
    else if (session.generation !== this.#parts.identity.current()?.generation) session.outdate();
  }
}

/** What need not be renewed comes first, then what has less to do. */
function isBetter(a: PeerSession, b: PeerSession): boolean {
  return a.state === b.state ? a.load < b.load : a.state === 'fresh';
}
