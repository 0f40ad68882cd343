import { ChannelCut, type ByteChannel } from './channel.ts';
import { createBodyReader, encodeChunk, lastChunk, type BodyLimits, type BodyProblem } from './body.ts';
import type { Framing, HeaderField } from './head.ts';

/** `from-cut` and `to-cut`: that side went away. `refused`: the body broke the rules of its framing. */
export type PumpEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'from-cut' }
  | { readonly kind: 'to-cut' }
  | { readonly kind: 'refused'; readonly reason: BodyProblem };

export interface PumpOrder {
  readonly from: ByteChannel;
  readonly to: ByteChannel;
  readonly framing: Framing;
  /** How the body is written anew. `plain`: the bytes alone (a length was announced, or the stream's end ends it). */
  readonly as: 'plain' | 'chunked';
  /** Bytes to write in front of the body's first, in one go with it: the head. */
  readonly head: Buffer;
  readonly limits: BodyLimits;
  /** Which trailers may pass. */
  readonly filterTrailers: (trailers: readonly HeaderField[]) => readonly HeaderField[];
  /** Called whenever bytes moved, for idle deadlines. */
  readonly onProgress: () => void;
}

/** Moves one head and its body; the body is read strictly and written anew. */
export async function pumpMessage(order: PumpOrder): Promise<PumpEnd> {
  const { from, to, framing } = order;
  if (framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0)) return put(to, [order.head]);
  const reader = createBodyReader(framing, order.limits);
  let out: Buffer[] = [order.head];
  if (!from.hasBytes) {
    const written = await put(to, out); // the body may come late, or never: the head must not wait for it
    if (written.kind !== 'done') return written;
    out = [];
  }
  for (;;) {
    let bytes: Buffer | undefined;
    try {
      bytes = await from.read();
    } catch (error) {
      if (error instanceof ChannelCut) return { kind: 'from-cut' };
      throw error;
    }
    if (bytes === undefined) return framing.kind === 'until-close' ? finish(order, out, []) : { kind: 'from-cut' };
    order.onProgress();
    const reading = reader.read(bytes);
    if (reading.kind === 'refused') return reading;
    if (reading.consumed < bytes.length) from.unread(bytes.subarray(reading.consumed));
    for (const data of reading.data) append(out, data, order.as);
    if (reading.done) return finish(order, out, reading.trailers ?? []);
    const written = await put(to, out);
    if (written.kind !== 'done') return written;
    out = [];
  }
}

function finish(order: PumpOrder, out: Buffer[], trailers: readonly HeaderField[]): Promise<PumpEnd> | PumpEnd {
  if (order.as === 'chunked') out.push(lastChunk(order.filterTrailers(trailers)));
  return put(order.to, out);
}

function append(out: Buffer[], data: Buffer, as: 'plain' | 'chunked'): void {
  if (as === 'plain') out.push(data);
  else out.push(...encodeChunk(data));
}

/** Small pieces leave in one buffer, so that they leave in one packet; large ones are not copied. */
async function put(to: ByteChannel, pieces: readonly Buffer[]): Promise<PumpEnd> {
  try {
    if (pieces.length === 0) return { kind: 'done' };
    const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (pieces.length === 1 || total <= 16_384) {
      const waiting = to.write(pieces.length === 1 ? (pieces[0] ?? Buffer.alloc(0)) : Buffer.concat(pieces, total));
      if (waiting) await waiting;
      return { kind: 'done' };
    }
    to.duplex.cork();
    let waiting: Promise<void> | undefined;
    for (const piece of pieces) waiting = to.write(piece) ?? waiting;
    to.duplex.uncork();
    if (waiting) await waiting;
    return { kind: 'done' };
  } catch (error) {
    if (error instanceof ChannelCut) return { kind: 'to-cut' };
    throw error;
  }
}
