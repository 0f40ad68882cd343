import { h2Error, type CloseReason } from '#agent/h2/errors.ts';
import type { H2Session, H2SessionHandler, H2Stream } from '#agent/h2/types.ts';
import type { SessionSource, SessionWaiter } from '#agent/http/h2/session-source.ts';
import type { Dial } from '#agent/http/dial.ts';
import { openHttpSession, type HttpSessionParts } from '#agent/protocol/open-http-session.ts';
import type { QueueLimits } from '#agent/http/waiting-request.ts';
import type { AppProblem } from './report.ts';

export interface AppSessionsParts extends HttpSessionParts {
  /** Of those who wait for a session; how long the app may take is the dial's and the engine's business. */
  readonly queue: Pick<QueueLimits, 'maxRequests'>;
  /** What was known of the app's protocol may not be so any more. */
  readonly onAnotherProtocol?: () => void;
}

/**
 * HTTP/2 with prior knowledge to one port of the app, on behalf of one caller's connection: one session, and a new one
 * when the app says goodbye or breaks off.
 */
export class AppSessions implements SessionSource<AppProblem> {
  /** What the last attempt said of the app's protocol: it answered in another one, it hung up on HTTP/2, or nothing. */
  anotherProtocol: 'certain' | 'possible' | 'unknown' = 'unknown';
  readonly #dial: Dial<AppProblem>;
  readonly #parts: AppSessionsParts;
  readonly #waiting = new Set<SessionWaiter<AppProblem>>();
  readonly #open = new Set<H2Session>();
  #current: H2Session | undefined;
  #stopDialling: (() => void) | undefined;

  constructor(dial: Dial<AppProblem>, parts: AppSessionsParts) {
    this.#dial = dial;
    this.#parts = parts;
  }

  session(waiter: SessionWaiter<AppProblem>): H2Session | undefined {
    if (this.#current?.takesStreams) return this.#current;
    if (this.#waiting.size >= this.#parts.queue.maxRequests) {
      waiter.onUnreachable('too-many-requests');
      return undefined;
    }
    this.#waiting.add(waiter);
    if (this.#stopDialling === undefined) this.#connect();
    return undefined;
  }
  forget(waiter: SessionWaiter<AppProblem>): void {
    this.#waiting.delete(waiter);
  }

  /** The caller has gone: what is in flight was aborted before. */
  close(): void {
    this.#stopDialling?.();
    for (const session of this.#open) session.drain();
    this.#waiting.clear();
  }

  #connect(): void {
    this.#stopDialling = nothing;
    this.anotherProtocol = 'unknown';
    const stop = this.#dial((dialed) => {
      if (!dialed.ok) return this.#failed();
      const attempt = new AppSession(this);
      attempt.session = openHttpSession(dialed.value, 'client', attempt, this.#parts);
      this.#open.add(attempt.session);
    });
    if (this.#stopDialling === nothing) this.#stopDialling = stop;
  }

  ready(session: H2Session): void {
    this.#stopDialling = undefined;
    this.#current = session;
    for (const waiter of this.#takeWaiting()) waiter.onSession(session);
  }
  left(session: H2Session): void {
    if (this.#current === session) this.#current = undefined;
  }
  closed(
    session: H2Session | undefined,
    how: { readonly phase: 'opening' | 'open'; readonly reason: CloseReason },
  ): void {
    if (session !== undefined) {
      this.#open.delete(session);
      this.left(session);
    }
    if (how.phase === 'open') return;
    this.anotherProtocol = anotherProtocol(how.reason);
    if (this.anotherProtocol !== 'unknown') this.#parts.onAnotherProtocol?.();
    this.#failed();
  }

  #failed(): void {
    this.#stopDialling = undefined;
    for (const waiter of this.#takeWaiting()) waiter.onUnreachable('app-unreachable');
  }
  #takeWaiting(): SessionWaiter<AppProblem>[] {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    return waiting;
  }
}

class AppSession implements H2SessionHandler {
  session: H2Session | undefined;
  readonly #owner: AppSessions;
  #phase: 'opening' | 'open' = 'opening';

  constructor(owner: AppSessions) {
    this.#owner = owner;
  }

  onReady(): void {
    if (this.session === undefined) return;
    this.#phase = 'open';
    this.#owner.ready(this.session);
  }
  onStream(stream: H2Stream): void {
    stream.reset(h2Error.protocol); // an app does not call us on a connection of ours
  }
  onGoaway(): void {
    if (this.session !== undefined) this.#owner.left(this.session);
  }
  onClosed(reason: CloseReason): void {
    this.#owner.closed(this.session, { phase: this.#phase, reason });
  }
}

/** A busy or restarting app says nothing of what it speaks. */
function anotherProtocol(reason: CloseReason): 'certain' | 'possible' | 'unknown' {
  switch (reason) {
    case 'not-http2':
    case 'bad-frame':
    case 'bad-frame-size':
      return 'certain';
    case 'peer-closed':
    case 'pipe-cut':
      return 'possible';
    default:
      return 'unknown';
  }
}

function nothing(): void {
  // nothing to stop any more
}
