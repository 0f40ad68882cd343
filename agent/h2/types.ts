import type { HeaderField } from '#agent/http/header-field.ts';

/** RFC 9113, section 7. */
export type H2ErrorCode = number;

/** What happens on one stream. Bytes are valid during the call only. */
export interface H2StreamHandler {
  /**
   * A field section: a request head, an informational or final response head, or trailers (then `end` is true).
   * Pseudo-header fields come first, under their names with the colon. Names are lower case, duplicates are kept.
   */
  onHeaders(fields: readonly HeaderField[], end: boolean): void;
  onData(bytes: Buffer): void;
  /** The peer's side ended with END_STREAM on DATA; where HEADERS carried it, `onHeaders` has said so instead. */
  onEnd(): void;
  /**
   * The stream broke: RST_STREAM, a stream error, the session's end; not by our own `reset`. Nothing comes after it, nor
   * after `reset`, but for the `onDrain` of an answer that `reset` without an error lets finish.
   */
  onReset(code: H2ErrorCode): void;
  /** After `data` answered false; and after `end`, when what had to wait for window or wire has left. */
  onDrain(): void;
}

export interface H2Stream {
  readonly id: number;
  handler: H2StreamHandler;
  /** Neither side has ended or reset it. */
  readonly isOpen: boolean;
  /** Bytes given to `data` that wait for window or wire. */
  readonly unsentBytes: number;
  /** Sends a field section; `end`: END_STREAM. Once ended or reset, further calls do nothing. */
  headers(fields: readonly HeaderField[], end: boolean): void;
  /** Copies or sends; false: wait for `onDrain` (window or wire is full). */
  data(bytes: Buffer): boolean;
  /** The same for Latin-1 text. */
  text(text: string): boolean;
  end(): void;
  /** RST_STREAM; what waits is forgotten. Without an error (0) after `end`, it follows what waits: the answer is whole. */
  reset(code: H2ErrorCode): void;
  /** Stops giving window to the peer; what is in flight still arrives. */
  pause(): void;
  resume(): void;
}

/** Which of a program's like event loops serves a session. Told by a setting of ours, which others ignore. */
export interface WorkerPlace {
  /** Counts from 1. */
  readonly worker: number;
  readonly of: number;
}

export interface H2Settings {
  /** Per stream that the peer sends to us, bytes; at the most. */
  readonly windowBytes: number;
  /**
   * What a stream's window is at first: it grows to `windowBytes` while its reader keeps up, so that many slow readers
   * hold little. Undefined: `windowBytes` from the start.
   */
  readonly firstWindowBytes?: number | undefined;
  /** Of the whole session. */
  readonly sessionWindowBytes: number;
  /** How many streams the peer may have open. */
  readonly maxStreams: number;
  /** Of one decoded field section, as RFC 9113, section 6.5.2 counts. */
  readonly maxHeaderListBytes: number;
  readonly maxHeaders: number;
  /** CONNECT without :scheme and :path is allowed (tunnels). */
  readonly connect: 'allow' | 'refuse';
  /** How many bytes may lie unread in paused streams of this session before the fullest are reset. */
  readonly unreadCeilingBytes: number;
  /** Told to the peer; undefined where there is one event loop. */
  readonly worker?: WorkerPlace | undefined;
}

export interface H2SessionHandler {
  /** Server side: a new stream; set its handler before returning. Its first `onHeaders` follows at once. */
  onStream(stream: H2Stream): void;
  /** The peer's SETTINGS arrived for the first time. */
  onReady(): void;
  /** The peer takes no new streams (GOAWAY); streams in flight live on. */
  onGoaway(): void;
  /** The session is over; every stream has been told before. */
  onClosed(reason: string): void;
}

export interface H2Session {
  readonly role: 'client' | 'server';
  readonly openStreams: number;
  /** What the peer lets us open at once. */
  readonly peerMaxStreams: number;
  /** Where it told so. */
  readonly peerWorker: WorkerPlace | undefined;
  /** New streams can be opened: the peer's SETTINGS are there, no GOAWAY, not closed. */
  readonly takesStreams: boolean;
  /** So much waits for a peer who reads nothing that no stream is opened until it does. */
  readonly isBackedUp: boolean;
  /** Client side. Undefined where no stream can be opened now (see `takesStreams`, `isBackedUp`, `peerMaxStreams`). */
  request(fields: readonly HeaderField[], end: boolean, handler: H2StreamHandler): H2Stream | undefined;
  /** GOAWAY: no new stream from the peer; closes when the last one has ended. */
  drain(): void;
  /** Asks for a sign of life; `onClosed` follows when none comes within `ms`. */
  ping(ms: number): void;
  /** GOAWAY with the code, then the end of the connection. */
  destroy(code: H2ErrorCode): void;
}
