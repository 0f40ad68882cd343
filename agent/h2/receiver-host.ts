import type { SessionProblem } from './errors.ts';
import type { FloodGuard } from './floods.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { Stream } from './stream.ts';
import type { StreamKeeper } from './stream-keeper.ts';
import type { StreamTable } from './stream-table.ts';
import type { H2ErrorCode, H2Settings } from './types.ts';

/** What those who read frames see of their session. */
export interface ReceiverHost {
  readonly role: 'client' | 'server';
  readonly settings: H2Settings;
  readonly keeper: StreamKeeper;
  readonly streams: StreamTable;
  readonly writer: FrameWriter;
  readonly floods: FloodGuard;
  /** No stream of the peer with this number can exist: it has not been opened. */
  isIdle(streamId: number): boolean;
  /** Server: opens the peer's stream, its handler set; undefined where it takes no more. */
  accept(streamId: number): Stream | undefined;
  /** Ends the session (RFC 9113, section 5.4.1). */
  fail(code: H2ErrorCode, problem: SessionProblem): void;
  /** Breaks off a stream because of what the peer did (section 5.4.2), and tells its handler. */
  streamError(stream: Stream, code: H2ErrorCode): void;
  /** The peer reset the stream. */
  streamReset(stream: Stream, code: H2ErrorCode): void;
  widen(stream: Stream | undefined, bytes: number): boolean;
  onSettings(payload: Buffer): void;
  onSettingsAck(): void;
  onPong(payload: Buffer): void;
  onGoaway(lastStreamId: number): void;
}
