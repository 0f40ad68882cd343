import {
  exchangeProblemAnswer,
  exchangeProblemName,
  headProblemAnswer,
  problemAnswer,
  type Answer,
} from '#agent/http/answers.ts';
import type { HeadProblem } from '#agent/http/head.ts';
import type { ExchangeProblem } from '#agent/http/message.ts';
import type { RequestEnd, RequestReport } from '#agent/http/service.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import { newDecisionId } from '#runtime/decision-id.ts';
import { unreachable } from '#runtime/result.ts';
import type { InboundParts } from './inbound-parts.ts';
import { denyReply } from './deny-reply.ts';
import type { DenyReason } from './permit.ts';

/** Why the app cannot be asked. */
export type AppProblem = 'app-unreachable' | 'too-many-requests';

/** Counts and logs what one principal does at one port, and words our own answers to it. Holds no request's state. */
export class InboundReport implements RequestReport<AppProblem> {
  readonly #parts: InboundParts;
  readonly #principal: SpiffeId;
  readonly #port: number;

  constructor(parts: InboundParts, principal: SpiffeId, port: number) {
    this.#parts = parts;
    this.#principal = principal;
    this.#port = port;
  }

  /** A request or an opaque stream has come. */
  begun(): void {
    this.#parts.counters.inboundRequests += 1;
  }
  denied(reason: DenyReason): Answer {
    this.#parts.counters.inboundDenied += 1;
    const { status, title } = denyReply(reason);
    return problemAnswer(status, title, this.#log('inbound.denied', reason));
  }
  refused(reason: HeadProblem | 'protected-header-in-connection'): Answer {
    this.#parts.counters.inboundDenied += 1;
    return headProblemAnswer(reason, this.#log('inbound.refused', reason));
  }
  /** The port that a request names is none of ours, or is opaque. */
  noSuchPort(): Answer {
    this.#parts.counters.inboundDenied += 1;
    return problemAnswer(404, 'This workload has no such HTTP port', this.#log('inbound.refused', 'no-such-port'));
  }
  unreachable(problem: AppProblem): Answer {
    this.#parts.counters.inboundFailed += 1;
    return problemAnswer(503, appProblemTitle(problem), this.#log('inbound.failed', problem));
  }
  failed(problem: ExchangeProblem): Answer {
    if (problem === 'downstream-gone') return exchangeProblemAnswer(problem, ''); // the caller changed its mind
    this.#parts.counters.inboundFailed += 1;
    return exchangeProblemAnswer(problem, this.#log('inbound.failed', exchangeProblemName(problem)));
  }
  admitted(): void {
    this.#parts.inFlight.requests += 1;
  }
  finished({ answeredBy }: RequestEnd): void {
    this.#parts.inFlight.requests -= 1;
    if (answeredBy !== 'us') this.answered();
  }
  /** By the app. */
  answered(): void {
    this.#parts.counters.inboundRequestsByPeer.add(this.#principal);
  }
  upgraded(): void {
    this.#parts.inFlight.requests -= 1;
    this.opened();
  }
  /** An opaque stream has reached the app. */
  opened(): void {
    this.#parts.counters.inboundOpenStreams += 1;
  }
  upgradeEnded(): void {
    this.#parts.counters.inboundOpenStreams -= 1;
  }

  #log(event: 'inbound.denied' | 'inbound.refused' | 'inbound.failed', reason: string): string {
    const decisionId = newDecisionId();
    this.#parts.emit({ event, principal: this.#principal, port: this.#port, reason, decisionId });
    return decisionId;
  }
}

function appProblemTitle(problem: AppProblem): string {
  switch (problem) {
    case 'app-unreachable':
      return 'The app cannot be reached';
    case 'too-many-requests':
      return 'Too many requests are in flight to this workload';
    default:
      return unreachable(problem);
  }
}
