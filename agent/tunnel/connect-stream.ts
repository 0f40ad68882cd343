import type { H2Session, H2Stream, H2StreamHandler } from '#agent/h2/types.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Clock, Timer } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { h2Error } from '#agent/h2/errors.ts';
import type { OpenProblem } from './peer.ts';
import { StreamPipe, type PipeOwner } from './stream-pipe.ts';

export interface StreamOrder {
  /** `host:port` of the peer's app. */
  readonly authority: string;
  /** For the answer. */
  readonly deadlineMs: number;
  readonly owner: PipeOwner;
}

/**
 * Opens a CONNECT stream (RFC 9113, section 8.5) and waits for the peer's 200. `full`: the session takes no further
 * stream now.
 */
export function connectStream(
  session: H2Session,
  order: StreamOrder,
  clock: Clock,
): Promise<Result<Pipe, OpenProblem | 'full'>> {
  return new Promise((resolve) => {
    const attempt = new ConnectAttempt(order, resolve);
    const authority = { name: ':authority', rawName: ':authority', value: order.authority };
    const stream = session.request([connectMethod, authority], false, attempt);
    if (stream === undefined) resolve(refuse('full'));
    else attempt.wait(stream, clock);
  });
}

const connectMethod: HeaderField = { name: ':method', rawName: ':method', value: 'CONNECT' };

class ConnectAttempt implements H2StreamHandler {
  readonly #order: StreamOrder;
  readonly #resolve: (result: Result<Pipe, OpenProblem>) => void;
  #stream: H2Stream | undefined;
  #timer: Timer | undefined;

  constructor(order: StreamOrder, resolve: (result: Result<Pipe, OpenProblem>) => void) {
    this.#order = order;
    this.#resolve = resolve;
  }

  wait(stream: H2Stream, clock: Clock): void {
    this.#stream = stream;
    this.#timer = clock.timer(this.#order.deadlineMs, () => this.#refuse('unreachable'));
  }

  onHeaders([status]: readonly HeaderField[], end: boolean): void {
    const code = Number(status?.value ?? 0);
    if (code >= 100 && code < 200 && !end) return;
    if (code < 200 || code >= 300) return this.#refuse(answerProblem(code));
    if (end || !this.#stream) return this.#refuse('app-unreachable');
    this.#timer?.cancel();
    this.#resolve(ok(new StreamPipe(this.#stream, this.#order.owner)));
  }
  onData(): void {
    this.#refuse('unreachable'); // bytes without an answer
  }
  onEnd(): void {
    this.#refuse('unreachable');
  }
  onReset(): void {
    this.#refuse('unreachable');
  }
  onDrain(): void {
    // nothing was sent
  }

  #refuse(reason: OpenProblem): void {
    this.#timer?.cancel();
    this.#stream?.reset(h2Error.cancel);
    this.#resolve(refuse(reason));
  }
}

/** What the peer's agent means by not answering CONNECT with 200. */
function answerProblem(status: number): OpenProblem {
  if (status === 403) return 'refused-by-peer';
  if (status === 404) return 'no-such-port';
  return status === 401 ? 'own-svid-expired' : 'app-unreachable';
}
