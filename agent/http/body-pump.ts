import { ChannelCut, type ByteChannel } from './channel.ts';
import {
  createBodyReader,
  encodeChunk,
  lastChunk,
  type BodyLimits,
  type BodyProblem,
  type BodyReader,
} from './body.ts';
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

/** A value now, or later: what can be done at once takes no turn of the event loop. */
export type Later<T> = T | Promise<T>;

const done: PumpEnd = Object.freeze({ kind: 'done' });
const toCut: PumpEnd = Object.freeze({ kind: 'to-cut' });

/** Moves one head and its body; the body is read strictly and written anew. What has arrived already leaves at once. */
export function pumpMessage(order: PumpOrder): Later<PumpEnd> {
  const { from, to, framing } = order;
  if (framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0)) return put(to, [order.head]);
  const reader = createBodyReader(framing, order.limits);
  const out = [order.head];
  for (let bytes = from.next(); bytes !== undefined; bytes = from.next()) {
    const end = take(order, reader, { bytes, out });
    if (end) return end;
  }
  return pumpRest(order, reader, out);
}

/** The head goes out first: the body may come late, or never. */
async function pumpRest(order: PumpOrder, reader: BodyReader, first: Buffer[]): Promise<PumpEnd> {
  const { from, to, framing } = order;
  let out = first;
  for (;;) {
    const written = await put(to, out);
    if (written.kind !== 'done') return written;
    let bytes: Buffer | undefined;
    try {
      bytes = await from.read();
    } catch (error) {
      if (error instanceof ChannelCut) return { kind: 'from-cut' };
      throw error;
    }
    out = [];
    if (bytes === undefined) return framing.kind === 'until-close' ? finish(order, out, []) : { kind: 'from-cut' };
    const end = take(order, reader, { bytes, out });
    if (end) return end;
  }
}

/** Reads one piece of the body and appends what is to be written; the end of the message, where the piece holds it. */
function take(
  order: PumpOrder,
  reader: BodyReader,
  { bytes, out }: { bytes: Buffer; out: Buffer[] },
): Later<PumpEnd> | undefined {
  order.onProgress();
  const reading = reader.read(bytes);
  if (reading.kind === 'refused') return reading;
  if (reading.consumed < bytes.length) order.from.unread(bytes.subarray(reading.consumed));
  for (const data of reading.data) append(out, data, order.as);
  return reading.done ? finish(order, out, reading.trailers ?? []) : undefined;
}

function finish(order: PumpOrder, out: Buffer[], trailers: readonly HeaderField[]): Later<PumpEnd> {
  if (order.as === 'chunked') out.push(lastChunk(order.filterTrailers(trailers)));
  return put(order.to, out);
}

function append(out: Buffer[], data: Buffer, as: 'plain' | 'chunked'): void {
  if (as === 'plain') out.push(data);
  else out.push(...encodeChunk(data));
}

/** Small pieces leave in one buffer, so that they leave in one packet; large ones are not copied. */
function put(to: ByteChannel, pieces: readonly Buffer[]): Later<PumpEnd> {
  const [only] = pieces;
  if (!only) return done;
  if (pieces.length === 1) return settled(to.write(only));
  let total = 0;
  for (const piece of pieces) total += piece.length;
  if (total <= 16_384) return settled(to.write(Buffer.concat(pieces, total)));
  to.duplex.cork();
  let waiting: Promise<void> | undefined;
  for (const piece of pieces) waiting = to.write(piece) ?? waiting;
  to.duplex.uncork();
  return settled(waiting);
}

function settled(waiting: Promise<void> | undefined): Later<PumpEnd> {
  if (!waiting) return done;
  return waiting.then(
    () => done,
    (error: unknown) => {
      if (error instanceof ChannelCut) return toCut;
      throw error;
    },
  );
}
