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
      const more = await readUntilLineFeed(channel);
      if (more === undefined) return { kind: 'cut' };
      bytes = Buffer.concat([bytes, more]);
    }
  } catch (error) {
    if (error instanceof ChannelCut) return { kind: 'cut' };
    throw error;
  }
}

/** Bytes up to a chunk that holds a line feed, or 16 KiB: a head sent byte by byte is not parsed at every byte. */
async function readUntilLineFeed(channel: ByteChannel): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let total = 0;
  for (;;) {
    const piece = await channel.read();
    if (piece === undefined) return undefined;
    pieces.push(piece);
    total += piece.length;
    if (piece.includes(lineFeed) || total > 16_384) return pieces.length === 1 ? piece : Buffer.concat(pieces, total);
  }
}
