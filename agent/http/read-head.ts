import { ChannelCut, type ByteChannel } from './channel.ts';
import type { HeadReading } from './head.ts';
import type { HeadProblem } from './head.ts';

export type HeadRead<H> =
  | { readonly kind: 'head'; readonly head: H }
  /** The stream ended before the first byte of a head. */
  | { readonly kind: 'end' }
  /** The stream broke, or ended in the middle of a head. */
  | { readonly kind: 'cut' }
  | { readonly kind: 'refused'; readonly reason: HeadProblem };

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const endOfHead = '\r\n\r\n';
/** A head that goes on is looked at again when it has doubled, and at every such many bytes. */
const lookAgainBytes = 4_096;

/** Reads one message head; what follows it stays in the channel. `onFirstByte` lets the caller change its deadline. */
export async function readHead<H>(
  channel: ByteChannel,
  parse: (bytes: Buffer) => HeadReading<H>,
  onFirstByte: () => void,
): Promise<HeadRead<H>> {
  try {
    let bytes = channel.next() ?? (await channel.read());
    if (bytes === undefined) return { kind: 'end' };
    onFirstByte();
    for (;;) {
      const reading = parse(bytes);
      if (reading.kind === 'refused') return reading;
      if (reading.kind === 'complete') {
        if (reading.end < bytes.length) channel.unread(bytes.subarray(reading.end));
        return { kind: 'head', head: reading.head };
      }
      const longer = await readOn(channel, bytes);
      if (longer === undefined) return { kind: 'cut' };
      bytes = longer;
    }
  } catch (error) {
    if (error instanceof ChannelCut) return { kind: 'cut' };
    throw error;
  }
}

/**
 * The head so far and what came after it, once parsing may tell more than before: its end, a line that ends wrongly, or
 * many more bytes. Never at every piece: a head of thousands of tiny ones must not cost the square of its length.
 */
async function readOn(channel: ByteChannel, before: Buffer): Promise<Buffer | undefined> {
  const pieces = [before];
  const enough = before.length + Math.min(before.length, lookAgainBytes);
  let total = before.length;
  let tail = before.subarray(-3);
  for (;;) {
    const piece = await channel.read();
    if (piece === undefined) return undefined;
    pieces.push(piece);
    total += piece.length;
    const fresh = Buffer.concat([tail, piece]);
    if (total >= enough || fresh.includes(endOfHead, 0, 'latin1') || hasLoneLineFeed(fresh, tail.length)) {
      return Buffer.concat(pieces, total);
    }
    tail = fresh.subarray(-3);
  }
}

function hasLoneLineFeed(bytes: Buffer, from: number): boolean {
  for (let at = bytes.indexOf(lineFeed, from); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) {
    if (bytes[at - 1] !== carriageReturn) return true;
  }
  return false;
}
