import type { HeaderField } from '#agent/http/header-field.ts';
import { deafHandler } from './deaf-handler.ts';
import type { SendQueue } from './send-queue.ts';
import type { H2ErrorCode, H2Stream, H2StreamHandler } from './types.ts';

/** What a stream asks its session to do. */
export interface StreamOwner {
  headers(stream: Stream, fields: readonly HeaderField[], end: boolean): void;
  data(stream: Stream, bytes: Buffer): boolean;
  text(stream: Stream, text: string): boolean;
  end(stream: Stream): void;
  reset(stream: Stream, code: H2ErrorCode): void;
  pause(stream: Stream): void;
  resume(stream: Stream): void;
}

/** One stream with all that the session keeps about it. What is not in `H2Stream` is the session's own. */
export class Stream implements H2Stream {
  readonly id: number;
  readonly openedMs: number;
  handler: H2StreamHandler;
  /** END_STREAM or a reset went out; or END_STREAM waits behind queued bytes (`endsAfterQueue`). */
  localEnded = false;
  remoteEnded = false;
  /** Off the table: nothing comes and nothing goes any more. */
  isClosed = false;

  /** Bytes that the peer lets us send; below 0 after it made its window smaller. */
  sendWindow: number;
  queue: SendQueue | undefined = undefined;
  endsAfterQueue = false;
  trailers: readonly HeaderField[] | undefined = undefined;
  /** `reset` without an error, which must not overtake what is queued. */
  resetsAfterQueue = false;
  wantsDrain = false;
  /** The next in the round of streams that may send. */
  nextReady: Stream | undefined = undefined;
  isReady = false;

  /** Bytes that the peer may still send. */
  receiveWindow: number;
  /** What that is when nothing is on its way, unread or uncredited: grows and shrinks (`ReceiveFlow`). */
  windowBytes: number;
  /** By what it is larger than at first, or smaller. */
  grownBytes = 0;
  /** Taken by the handler, not given back to the peer's window. */
  uncredited = 0;
  /** The same, since `pause`. */
  unread = 0;
  isPaused = false;
  /** It filled most of its window while it was paused: a larger one would only hold more. */
  isReaderSlow = false;

  /** The request's or the final answer's head: was it sent, has it come? */
  headSent = false;
  headReceived = false;
  dataSent = false;
  informationalHeads = 0;
  /** What `content-length` promises and has not come; -1: it promised nothing. */
  expectedBytes = -1;
  /** Client: the request is such that its answer has no content. */
  isHeadRequest = false;
  isConnect = false;

  readonly #owner: StreamOwner;

  constructor(
    id: number,
    owner: StreamOwner,
    start: { readonly send: number; readonly receive: number; readonly openedMs: number },
  ) {
    this.id = id;
    this.openedMs = start.openedMs;
    this.handler = deafHandler;
    this.sendWindow = start.send;
    this.receiveWindow = start.receive;
    this.windowBytes = start.receive;
    this.#owner = owner;
  }

  get isOpen(): boolean {
    return !this.localEnded && !this.remoteEnded && !this.isClosed;
  }
  get unsentBytes(): number {
    return this.queue === undefined ? 0 : this.queue.bytes;
  }

  /** Client: what the request is, by its head. */
  asks(fields: readonly HeaderField[]): void {
    const method = fields.find(({ name }) => name === ':method')?.value;
    this.isConnect = method === 'CONNECT';
    this.isHeadRequest = method === 'HEAD';
  }

  headers(fields: readonly HeaderField[], end: boolean): void {
    this.#owner.headers(this, fields, end);
  }
  data(bytes: Buffer): boolean {
    return this.#owner.data(this, bytes);
  }
  text(text: string): boolean {
    return this.#owner.text(this, text);
  }
  end(): void {
    this.#owner.end(this);
  }
  reset(code: H2ErrorCode): void {
    this.#owner.reset(this, code);
  }
  pause(): void {
    this.#owner.pause(this);
  }
  resume(): void {
    this.#owner.resume(this);
  }
}
