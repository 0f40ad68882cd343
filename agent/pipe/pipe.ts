/**
 * Whoever reads a pipe. Calls come in order; after `onCut` none comes, after `onEnd` only `onDrain` or `onCut`. None
 * comes from inside a call of the pipe's own methods.
 */
export interface PipeReader {
  /** Bytes that arrived. Valid during the call only: who keeps them copies them. */
  onBytes(bytes: Buffer): void;
  /** The other side has finished sending, in order; it may still read. */
  onEnd(): void;
  /**
   * The stream broke or is closed: nothing can be read or written any more. Comes once: when it breaks, also while
   * paused; after our own `cut`, soon and with nothing else before it; and as the last word once both directions have
   * ended in order.
   */
  onCut(): void;
  /** After a `write` that answered false: there is room again. */
  onDrain(): void;
}

/**
 * A byte stream as the data path sees it: it pushes what arrives and gathers what is written until the end of the
 * event-loop turn. Starts paused, so that a reader can be set first; a stream changes hands by a new `reader`.
 */
export interface Pipe {
  reader: PipeReader;
  /** Neither direction has ended, broken or been ended by us. */
  readonly isOpen: boolean;
  /** Bytes written here that have not left this process; after a cut, what never left. */
  readonly unsentBytes: number;
  /**
   * Takes bytes (sent or copied when it returns). False: wait for `onDrain` before more; nothing is lost otherwise.
   * After `end` or a cut it does nothing.
   */
  write(bytes: Buffer): boolean;
  /** The same for Latin-1 text, such as a head. */
  writeText(text: string): boolean;
  /** Sends what was gathered at once instead of at the end of the turn. */
  flush(): void;
  /** Nothing more from us; the other direction lives on. Closes once both directions have ended. */
  end(): void;
  /**
   * Ends both directions in order once what was written has left, for whoever knows that the other side says nothing
   * more: its end is not waited for. Undefined where only `end` will do.
   */
  hangUp?(): void;
  /** Ends both directions so that the other end sees a break, never an orderly end. */
  cut(): void;
  pause(): void;
  resume(): void;
}
