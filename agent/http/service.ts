import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Answer } from './answers.ts';
import type { BodyLimits } from './body.ts';
import type { Deadlines } from './deadlines.ts';
import type { HeadLimits, RequestHead, UnreadProblem } from './head.ts';
import type { LastHead } from './last-head.ts';
import type { ExchangeProblem, Forwarded, Upstream } from './message.ts';

export interface MessageLimits {
  readonly head: HeadLimits;
  readonly body: BodyLimits;
}

export interface HttpTimes {
  /** From the first byte of a head to its last. */
  readonly headMs: number;
  /** From the connection's start to the first byte of its first request. */
  readonly firstMs: number;
  /** Between requests. */
  readonly idleMs: number;
  /** Within a request, without a byte in either direction. */
  readonly stallMs: number;
}

/** Whoever serves a connection now that was handed over. */
export interface HandedOver {
  drain?(): void;
}

export type Admission<P> =
  | {
      readonly kind: 'forward';
      readonly request: Forwarded;
      readonly upstream: Upstream<P>;
      readonly report: RequestReport<P>;
      /** Whether who answers can speak gRPC at all; undefined: yes. Its calls may be quiet for long, others may not. */
      readonly takesGrpc?: () => boolean;
    }
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** HTTP/1.1 only, to a CONNECT: `answer` is sent, and the connection with all that follows on it then belongs to `serve`. */
  | { readonly kind: 'hand-over'; readonly answer: Buffer; readonly serve: (pipe: Pipe) => HandedOver };

export type Later<T> = T | Promise<T>;

/** How one admitted request ended. */
export interface RequestEnd {
  readonly request: Forwarded;
  /** Monotonic: when its head was whole. */
  readonly startedMs: number;
  /** Sent to the caller; 0 when none was. */
  readonly status: number;
  /** `agent`: it names a decision. Only what a peer's agent sent says so truly: it removes the name from its app's answers. */
  readonly answeredBy: 'app' | 'agent' | 'us';
  /** Of an answer of ours or of another agent, or of what broke the answer off. */
  readonly decisionId: string | undefined;
  /** With which a gRPC call ended; undefined where none was said. */
  readonly grpcStatus: number | undefined;
  /** `cut`: the answer broke off or the caller left before its end. */
  readonly outcome: 'complete' | 'cut';
  /** Body bytes, without framing. */
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** How a stream of bytes ended: one that was opaque from its start, or what an upgrade made of a request. */
export interface StreamEnd {
  /** `ended`: both directions came to their end in order. */
  readonly outcome: 'ended' | 'cut';
  /** That was upgraded. */
  readonly request: Forwarded | undefined;
  /** Monotonic: when it was joined, or the request's head was whole. */
  readonly startedMs: number;
  /** From the caller, and to it. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Of what cut it, where somebody decided that. */
  readonly decisionId?: string | undefined;
}

/** Counts and logs one admitted request, and words what the caller is told when it fails. */
export interface RequestReport<P> {
  unreachable(problem: P): Answer;
  failed(problem: ExchangeProblem): Answer;
  /** Exactly once for every admitted request that was not upgraded. */
  finished(end: RequestEnd): void;
  upgraded(): void;
  /** An upgraded stream is over. */
  upgradeEnded(end: StreamEnd): void;
}

/** What a connection needs to serve requests, whichever version of HTTP they come in. */
export interface HttpService<P> {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly limits: MessageLimits;
  readonly times: HttpTimes;
  /** HTTP/1.1: shared by connections that read heads under the same limits; undefined: each has its own memory only. */
  readonly commonHead?: LastHead<RequestHead> | undefined;
  /** Judges a request by its head alone. */
  admit(head: RequestHead): Later<Admission<P>>;
  /** A head that was refused before it could be judged. */
  refused(reason: UnreadProblem): Answer;
  /**
   * Judges a request that was admitted once more, while it runs; undefined: it stands. What it gives is said instead of
   * what the app would still say. Without it nothing that was admitted is ended.
   */
  revoked?(head: RequestHead): Answer | undefined;
  /**
   * No request comes any more, and none is in flight: the connection is over, or was handed over (whoever serves it now
   * keeps its own books; `drain` and `destroy` still reach it). Comes once.
   */
  closed(): void;
}

export interface HttpConnection {
  /** What may be allowed has changed: ends what runs and is not allowed any more, as politely as its protocol can. */
  reconsider?(): void;
  /** No further request: an idle connection ends now, a busy one after its answers (HTTP/2: GOAWAY). */
  drain(): void;
  /** Cuts the connection. */
  destroy(): void;
}
