import { takeSeat } from '#agent/ceiling.ts';
import type { InboundPortConfig } from '#agent/config-types.ts';
import type { Answer } from '#agent/http/answers.ts';
import { dialBy } from '#agent/http/dial.ts';
import { connectTcp } from '#agent/pipe/connect-tcp.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { createFarEnd, type FarEnd, type NotOpened, type OpaqueReport } from '#agent/protocol/far-end.ts';
import { HttpAnswerGuard } from '#agent/protocol/http-answer-guard.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { announce } from './announce.ts';
import type { CallerParts, Proof } from './inbound-parts.ts';
import { PortJudge, type Judged, type Permit, type Refusal } from './permit.ts';
import type { KeptRefusal } from './refusal-book.ts';
import { createInboundReport } from './plaintext-report.ts';
import type { AppProblem, InboundReport } from './report.ts';

export interface OpaqueOrder {
  readonly port: InboundPortConfig;
  /** `perhaps-http`: the app may turn out to speak HTTP, and is cut off then. */
  readonly speaks: 'bytes' | 'perhaps-http';
  readonly onOpened: OnOpened;
}

export type OnOpened = (opened: Result<FarEnd, NotAdmitted>) => void;

/** Nobody has heard of it yet. */
export interface NotAdmitted {
  /** Counts and logs it, once; gives what the peer is told. */
  tell(): Answer;
}

/**
 * Opens the app's opaque port for a caller that may use it; calls back once, at once or later, unless the function it
 * gives was called first. Whatever comes of it, nothing is counted before the stream is joined or its refusal told: a
 * silent caller of an `auto` port may yet speak HTTP.
 */
export function openOpaqueApp(order: OpaqueOrder, parts: CallerParts, proof: Proof): () => void {
  return new OpaqueApp(order, parts, proof).open();
}

/** When a refusal was decided, about what, and by which rules. */
type Moment = Omit<KeptRefusal, 'refusal'>;

const noNotes: Judged['notes'] = { audited: [], dryRun: [] };

class OpaqueApp {
  readonly #order: OpaqueOrder;
  readonly #parts: CallerParts;
  readonly #proof: Proof;
  readonly #report: InboundReport;
  readonly #judge: PortJudge;
  #notes = noNotes;

  constructor(order: OpaqueOrder, parts: CallerParts, proof: Proof) {
    const { port } = order.port;
    this.#order = order;
    this.#parts = parts;
    this.#proof = proof;
    this.#report = createInboundReport(parts, proof.peer, port);
    this.#judge = new PortJudge(parts.policy, port);
  }

  open(): () => void {
    const permit = this.#permit();
    if (permit.ok) return this.#dial(permit.value);
    const moment = this.#moment();
    this.#fail(() => this.#keep(this.#report.denied(permit.reason, 'opaque'), permit.reason, moment));
    return () => undefined;
  }

  #permit(): Result<Permit, Refusal> {
    const standing = this.#judge.standing(this.#proof.peer, this.#parts.clock.now());
    if (!standing.ok) return standing;
    if (this.#order.port.token !== undefined) return refuse({ reason: 'token-refused', token: 'no-header' }); // bytes bring none
    const { permit, notes } = this.#judge.judge(standing.value, undefined, this.#parts.clock.now());
    this.#notes = notes;
    return permit;
  }

  #dial(_permit: Permit): () => void {
    const { clock, streams } = this.#parts;
    const failed = (problem: AppProblem): void =>
      this.#fail(() => {
        this.#report.permitted('opaque', '');
        return this.#report.notAdmitted(problem, 'opaque');
      });
    if (streams.isFull) {
      failed('too-many-requests');
      return () => undefined;
    }
    const leave = takeSeat(streams);
    const dial = dialBy((signal) => connectTcp(this.#order.port.app, { clock, signal }));
    const stop = dial((opened) => {
      if (opened.ok) return this.#order.onOpened(ok(this.#farEnd(opened.value, leave)));
      leave();
      return failed(opened.reason);
    });
    return () => {
      leave();
      stop();
    };
  }

  #farEnd(pipe: Pipe, onOver: () => void): FarEnd {
    announce(pipe, this.#order.port, this.#proof);
    const app = this.#order.speaks === 'bytes' ? pipe : new HttpAnswerGuard(pipe, () => this.#report.httpUnread());
    const report: OpaqueReport = {
      opened: () => {
        this.#begin();
        this.#notePeer();
        this.#report.permitted('opaque', '');
        this.#report.answered();
        this.#report.opened();
      },
      upgradeEnded: (end) => this.#report.upgradeEnded(end),
    };
    return createFarEnd(app, report, { clock: this.#parts.clock, onOver, revocation: () => this.#revocation() });
  }

  #revocation(): NotOpened | undefined {
    const refusal = this.#judge.refusalOf(this.#proof.peer, undefined, this.#parts.clock.now());
    if (refusal === undefined) return undefined;
    return { tell: () => this.#keep(this.#report.revoked(refusal), refusal, this.#moment()) };
  }

  #fail(tell: () => Answer): void {
    const begunAndTold = (): Answer => {
      this.#begin();
      return tell();
    };
    this.#order.onOpened(refuse({ tell: begunAndTold }));
  }

  #begin(): void {
    this.#report.begun();
    this.#report.noted(this.#notes);
  }

  /** Who needs no plaintext. */
  #notePeer(): void {
    const { spiffeId } = this.#proof.peer;
    if (spiffeId !== undefined) this.#parts.ledger.peer(this.#order.port.port, spiffeId);
  }

  #moment(): Moment {
    const { clock, policy } = this.#parts;
    const call = { principal: this.#proof.peer.spiffeId, port: this.#order.port.port, http: undefined };
    return { atMs: clock.now(), call, policy: policy() };
  }

  /** So that the answer's decision can be explained. */
  #keep(answer: Answer, refusal: Refusal, moment: Moment): Answer {
    this.#parts.refusals.keep(answer.decisionId, { ...moment, refusal });
    return answer;
  }
}
