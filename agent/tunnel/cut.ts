import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/**
 * Ends a stream so that its other end sees a break, not an orderly end: TCP reset; RST_STREAM with an error. Never
 * `http2stream.close(code)`: Node puts END_STREAM in front of that reset, and a cut message would look complete.
 */
export function cut(stream: Duplex): void {
  if (stream.destroyed) return;
  const canReset = stream instanceof Socket && !(stream instanceof TLSSocket);
  // A socket that is being shut down cannot be reset any more: libuv refuses, and Node would leave it open for good.
  if (canReset && !stream.writableEnded) stream.resetAndDestroy();
  else stream.destroy(new Error('cut'));
}
