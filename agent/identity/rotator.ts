import { renewAtMs, retryAtMs } from '#certs/renewal.ts';
import type { TrustBundle } from '#certs/trust-bundle.ts';
import type { Attestation } from '#proto/issue-messages.ts';
import type { Refusal } from '#proto/refusal.ts';
import { backoffMs } from '#runtime/backoff.ts';
import type { Clock, Random } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';
import type { AgentEmit } from '#agent/events.ts';
import { joinTokenHint, type JoinTokens } from './attest.ts';
import { judgeAnswer, requestSvid, type Answer, type IssueCall } from './issuer-client.ts';
import { createPause } from './pause.ts';
import { prepareNext, type PrepareIdentity } from './prepare-next.ts';
import type { StateDir } from './state-dir.ts';
import type { Identity, IdentityStore } from './store.ts';

export interface RotatorParts {
  readonly workload: string;
  readonly store: IdentityStore;
  readonly call: IssueCall;
  readonly joinTokens: JoinTokens;
  /** What is trusted before the first identity. */
  readonly pinned: TrustBundle;
  /** Called before an identity that replaces a valid one is published. */
  readonly prepare?: PrepareIdentity | undefined;
  readonly stateDir: StateDir | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: AgentEmit;
}

export interface RotationStatus {
  readonly rotations: number;
  readonly skewMs: number;
  /** In a row, up to now. */
  readonly failures: number;
  readonly joinTokenUses: number;
}

/** Without a valid SVID there is no life to divide: as often as a supervisor would try, and not together. */
const withoutSvid = { baseMs: 250, maxMs: 10_000 };
const reportedSkewMs = 30_000;
const callDeadline = { minMs: 1_000, maxMs: 10_000 };

/**
 * Keeps the store's identity fresh: renews at a random point past half of its life, tries again ever more often as
 * expiry nears, at once when told to. What works stays published until a better one was checked.
 */
export class Rotator {
  readonly #parts: RotatorParts;
  readonly #pause;
  #status: RotationStatus = { rotations: 0, skewMs: 0, failures: 0, joinTokenUses: 0 };
  /** The control plane said no to our current SVID: only a join token can help. */
  #isSvidRefused = false;
  #toldExpiryOf = 0;
  #lastFailure: unknown;
  #failuresWithoutSvid = 0;

  constructor(parts: RotatorParts) {
    this.#parts = parts;
    this.#pause = createPause(parts.clock);
  }

  status(): RotationStatus {
    return this.#status;
  }

  renewNow(): void {
    this.#pause.cut();
  }

  /** Ends by throwing the signal's reason, or a `Fault` when only a new join token can help. */
  async run(signal: AbortSignal): Promise<never> {
    await this.#resume();
    for (;;) {
      signal.throwIfAborted();
      await this.#pause.wait(await this.#attempt(signal), signal);
    }
  }

  async #resume(): Promise<void> {
    const { stateDir, pinned, clock, store, emit } = this.#parts;
    if (stateDir === undefined) return;
    const kept = await stateDir.load({ bundle: pinned, nowMs: clock.now() });
    if (kept.ok) {
      const { svid } = store.replace(kept.value);
      emit({ event: 'svid.resumed', serialHex: svid.serialHex, validForMs: svid.notAfterMs - clock.now() });
    } else if (kept.reason !== 'none') {
      emit({ event: 'state.refused', reason: kept.reason });
    }
  }

  /** Returns how long to wait for the next attempt. */
  async #attempt(signal: AbortSignal): Promise<number> {
    this.#tellExpiry(); // now: a call to a silent control plane may last
    try {
      return await this.#renew(signal);
    } catch (error) {
      signal.throwIfAborted(); // we are stopping: nobody's fault
      if (error instanceof Fault && finalCodes.has(error.code)) throw error;
      return this.#failed(error);
    }
  }

  async #renew(signal: AbortSignal): Promise<number> {
    const { clock, call, joinTokens, prepare, workload } = this.#parts;
    const attestation = await this.#chooseProof();
    const tools = { call, clock, deadlineMs: deadlineFor(this.#validForMs()), knownSkewMs: this.#status.skewMs };
    const answer = await requestSvid(attestation, tools, signal);
    if (!answer.ok) return this.#refused(attestation, answer.reason);
    if (attestation.kind === 'join-token') {
      joinTokens.markSpent();
      this.#status = { ...this.#status, joinTokenUses: this.#status.joinTokenUses + 1 };
    }
    this.#measure(answer.value.skewMs);
    const next = this.#judge(answer.value);
    if (attestation.kind === 'join-token') requireOwnName(next, workload);
    const isPrepared = await prepareNext(prepare, next, { validForMs: this.#validForMs(), clock, signal });
    const identity = isPrepared ? this.#judge(answer.value) : next; // the bundle may have changed meanwhile
    const dueInMs = this.#publish(identity);
    await this.#keep(identity);
    return dueInMs;
  }

  /** By what we hold now: the bundle may have changed during the call. */
  #judge(answer: Answer): Identity {
    const { store, pinned, clock } = this.#parts;
    const current = store.current();
    const judged = judgeAnswer(answer, { bundle: current?.bundle ?? pinned, current, nowMs: clock.now() });
    if (judged.ok) return judged.value;
    const skew = `the issuer's clock minus ours is ${this.#status.skewMs} ms`;
    throw new Fault('SVID_UNUSABLE', `the SVID we got is ${judged.reason}; ${skew}`);
  }

  async #chooseProof(): Promise<Attestation> {
    if (this.#validForMs() > 0 && !this.#isSvidRefused) return { kind: 'current-svid' };
    const { joinTokens, store, workload } = this.#parts;
    const token = await joinTokens.unspent();
    if (token !== undefined) return { kind: 'join-token', token };
    if (store.current() !== undefined) return { kind: 'current-svid' };
    throw needsToken(workload, 'there is neither a valid SVID nor an unused join token', this.#lastFailure);
  }

  #publish(identity: Identity): number {
    const { store, clock, random, emit } = this.#parts;
    const isFirst = store.current() === undefined;
    const { skewMs, rotations } = this.#status;
    this.#status = { ...this.#status, failures: 0, rotations: isFirst ? rotations : rotations + 1 };
    this.#isSvidRefused = false;
    this.#failuresWithoutSvid = 0;
    const { svid, issuedAtMs, generation } = store.replace(identity);
    const dueInMs = renewAtMs({ issuedAtMs, notAfterMs: svid.notAfterMs }, random()) - this.#issuerNowMs();
    emit({
      event: isFirst ? 'svid.issued' : 'svid.rotated',
      generation,
      serialHex: svid.serialHex,
      notAfterMs: svid.notAfterMs,
      renewAtMs: Math.round(clock.now() + dueInMs),
      skewMs,
    });
    return dueInMs;
  }

  async #keep(identity: Identity): Promise<void> {
    const { stateDir, emit } = this.#parts;
    try {
      await stateDir?.save(identity);
    } catch (error) {
      emit({ event: 'state.not-kept', error }); // a start without it needs a join token; nothing else is lost
    }
  }

  #refused({ kind }: Attestation, { code, reason, retryAfterMs }: Refusal): number {
    const { joinTokens, workload } = this.#parts;
    const cause = new Fault('CONTROL_PLANE_REFUSED', `${code}: ${reason}`);
    if (code === 'unauthenticated' || code === 'permission-denied') {
      if (kind === 'join-token') joinTokens.markSpent();
      else this.#isSvidRefused = true;
      if (this.#validForMs() === 0) {
        if (kind === 'join-token') throw tokenRefused(workload, cause);
        throw needsToken(workload, 'the SVID has expired', cause);
      }
    }
    return this.#failed(cause, retryAfterMs);
  }

  /** Returns how long to wait: what was asked of us at least, and never all agents at the same moment. */
  #failed(error: unknown, retryAfterMs = 0): number {
    const { store, random, emit } = this.#parts;
    this.#lastFailure = error;
    const failures = this.#status.failures + 1;
    this.#status = { ...this.#status, failures };
    const current = store.current();
    const validForMs = this.#validForMs();
    this.#failuresWithoutSvid = validForMs > 0 ? 0 : this.#failuresWithoutSvid + 1;
    const nowMs = this.#issuerNowMs();
    const pacedMs =
      current !== undefined && validForMs > 0
        ? retryAtMs({ issuedAtMs: current.issuedAtMs, notAfterMs: current.svid.notAfterMs }, nowMs, random()) - nowMs
        : backoffMs(this.#failuresWithoutSvid - 1, withoutSvid, random());
    const retryInMs = Math.round(Math.max(pacedMs, retryAfterMs * (1 + 0.2 * random())));
    emit({ event: 'svid.renewal-failed', failures, validForMs, retryInMs, error });
    this.#tellExpiry();
    return retryInMs;
  }

  /** Once for each SVID. */
  #tellExpiry(): void {
    const current = this.#parts.store.current();
    if (current === undefined || this.#validForMs() > 0 || this.#toldExpiryOf === current.generation) return;
    this.#toldExpiryOf = current.generation;
    this.#parts.emit({ event: 'svid.expired', expiredForMs: this.#issuerNowMs() - current.svid.notAfterMs });
  }

  #measure(skewMs: number): void {
    const wasReported = Math.abs(this.#status.skewMs) > reportedSkewMs;
    this.#status = { ...this.#status, skewMs };
    if (Math.abs(skewMs) > reportedSkewMs && !wasReported) this.#parts.emit({ event: 'clock.skewed', skewMs });
  }

  /** The SVID's times are by the issuer's clock: so is everything reckoned from them. */
  #issuerNowMs(): number {
    return this.#parts.clock.now() + this.#status.skewMs;
  }

  #validForMs(): number {
    return Math.max(0, (this.#parts.store.current()?.svid.notAfterMs ?? 0) - this.#issuerNowMs());
  }
}

const finalCodes = new Set([
  'JOIN_TOKEN_REFUSED',
  'JOIN_TOKEN_NEEDED',
  'JOIN_TOKEN_UNREADABLE',
  'JOIN_TOKEN_OF_OTHER_WORKLOAD',
]);

function tokenRefused(workload: string, cause: Fault): Fault {
  const message = 'the control plane refused the join token';
  return new Fault('JOIN_TOKEN_REFUSED', message, { cause, hint: joinTokenHint(workload) });
}

function needsToken(workload: string, why: string, cause: unknown): Fault {
  return new Fault('JOIN_TOKEN_NEEDED', why, { cause, hint: joinTokenHint(workload) });
}

/** A join token decides who we are; one made for somebody else would quietly make this agent speak for them. */
function requireOwnName({ svid }: Identity, workload: string): void {
  if (svid.spiffeId.endsWith(`/sa/${workload}`)) return;
  const message = `the join token is for ${svid.spiffeId}, this agent is configured as ${workload}`;
  throw new Fault('JOIN_TOKEN_OF_OTHER_WORKLOAD', message, { hint: joinTokenHint(workload) });
}

/** A call may take a tenth of what the SVID has left, within bounds: a silent control plane must leave time to try again. */
function deadlineFor(validForMs: number): number {
  const { minMs, maxMs } = callDeadline;
  return validForMs === 0 ? maxMs : Math.min(maxMs, Math.max(minMs, validForMs / 10));
}
