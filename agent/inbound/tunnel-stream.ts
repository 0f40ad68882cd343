import type { InboundPortConfig } from '#agent/config-types.ts';
import { h2Error } from '#agent/h2/errors.ts';
import type { H2Stream, H2StreamHandler } from '#agent/h2/types.ts';
import type { Answer } from '#agent/http/answers.ts';
import { headerField, type HeaderField } from '#agent/http/header-field.ts';
import { decisionHeader } from '#agent/http/problem.ts';
import type { HttpConnection } from '#agent/http/service.ts';
import { deafReader } from '#agent/pipe/deaf-reader.ts';
import { authorityPort } from '#agent/tunnel/authority.ts';
import { StreamPipe, type PipeOwner } from '#agent/tunnel/stream-pipe.ts';
import type { Clock, Timer } from '#runtime/clock.ts';
import type { InboundCaller } from './inbound-caller.ts';

/** What streams of one session share. */
export interface TunnelStreams {
  readonly clock: Clock;
  readonly caller: InboundCaller;
  /** The certificate that the peer last proved has expired. */
  readonly isExpired: boolean;
  portOf(port: number): InboundPortConfig | undefined;
  /** A new stream whose head is not CONNECT's: it is somebody else's from here on. */
  takeRequest(stream: H2Stream, fields: readonly HeaderField[], end: boolean): void;
  opened(stream: TunnelStream): void;
  closed(stream: TunnelStream): void;
}

/** How long a peer that was refused may go on sending. */
const refusalLingerMs = 1_000;

/** One stream of a peer, until its head has said what it is; then, of CONNECT, to its end. */
export class TunnelStream implements H2StreamHandler, PipeOwner {
  readonly #streams: TunnelStreams;
  readonly #stream: H2Stream;
  #served: HttpConnection | undefined;
  #cancel: (() => void) | undefined;
  #linger: Timer | undefined;
  #isOver = false;

  constructor(streams: TunnelStreams, stream: H2Stream) {
    this.#streams = streams;
    this.#stream = stream;
  }

  onHeaders(fields: readonly HeaderField[], end: boolean): void {
    if (valueOf(fields, ':method') === 'CONNECT') this.#connect(valueOf(fields, ':authority'), end);
    else this.#streams.takeRequest(this.#stream, fields, end);
  }
  onData(): void {
    // a head comes first
  }
  onEnd(): void {
    // the same
  }
  onReset(): void {
    // it said nothing yet
  }
  onDrain(): void {
    // nor did we
  }

  onPipeOver(): void {
    this.#isOver = true;
    this.#cancel?.();
    this.#linger?.cancel();
    this.#streams.closed(this);
  }

  reconsider(): void {
    this.#served?.reconsider?.();
  }

  /** Its idle connection ends, a busy one after its answers. */
  drain(): void {
    this.#served?.drain();
  }

  #connect(authority: string, end: boolean): void {
    const streams = this.#streams;
    const pipe = new StreamPipe(this.#stream, this); // what comes early waits in it
    streams.opened(this);
    const named = authorityPort(authority);
    if (end) return this.#refuse(pipe, streams.caller.refuse('bad-target', named));
    const port = streams.portOf(named);
    if (port === undefined) return this.#refuse(pipe, streams.caller.refuse('no-such-port', named));
    if (streams.isExpired) return this.#refuse(pipe, streams.caller.refuse('peer-svid-expired', named));
    if (streams.caller.isOpaque(port)) return this.#connectOpaque(pipe, port);
    this.#stream.headers(accepted, false);
    this.#served = streams.caller.serve(pipe, port);
  }

  /** The app is connected first: it decides what the peer is told. */
  #connectOpaque(pipe: StreamPipe, port: InboundPortConfig): void {
    this.#cancel = this.#streams.caller.openOpaque(port, (opened) => {
      this.#cancel = undefined;
      if (this.#isOver) return opened.ok && opened.value.letGo();
      if (!opened.ok) return this.#refuse(pipe, opened.reason.tell());
      this.#stream.headers(accepted, false);
      this.#served = opened.value.join(pipe);
    });
    if (this.#isOver) this.#cancel();
  }

  /**
   * Answers, throws away what the peer still sends, and ends the stream if the peer does not. Not at once: a reset in the
   * same read would hide the answer from some clients.
   */
  #refuse(pipe: StreamPipe, { status, decisionId }: Answer): void {
    const head = [{ name: ':status', rawName: ':status', value: String(status) }];
    if (decisionId !== undefined) head.push(headerField(decisionHeader, decisionId));
    this.#stream.headers(head, true);
    pipe.end();
    pipe.reader = deafReader;
    pipe.resume();
    this.#linger = this.#streams.clock.timer(refusalLingerMs, () => {
      this.#stream.reset(h2Error.none);
      pipe.cut();
    });
  }
}

const accepted: readonly HeaderField[] = [{ name: ':status', rawName: ':status', value: '200' }];

function valueOf(fields: readonly HeaderField[], name: string): string {
  for (const field of fields) if (field.name === name) return field.value;
  return '';
}
