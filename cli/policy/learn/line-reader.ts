const maxLineBytes = 1_048_576;
const lineFeed = 0x0a;

/**
 * Gives each line of a stream, without its end; undefined in the place of one of more than 1 MiB, of which nothing is
 * kept. Holds one line and one chunk at a time.
 */
export async function readLines(
  chunks: AsyncIterable<Uint8Array | string>,
  onLine: (line: string | undefined) => void,
  signal: AbortSignal,
): Promise<void> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  const end = (last: Buffer): void => {
    if (bytes + last.length > maxLineBytes) onLine(undefined);
    else if (waiting.length === 0) onLine(last.toString('utf8'));
    else onLine(Buffer.concat([...waiting, last]).toString('utf8'));
    waiting = [];
    bytes = 0;
  };
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    const buffer = Buffer.from(chunk as Uint8Array);
    let start = 0;
    for (let at = buffer.indexOf(lineFeed); at >= 0; at = buffer.indexOf(lineFeed, start)) {
      end(buffer.subarray(start, at));
      start = at + 1;
    }
    const rest = buffer.subarray(start);
    bytes += rest.length;
    if (bytes > maxLineBytes) waiting = [];
    else if (rest.length > 0) waiting.push(rest);
  }
  if (bytes > 0) end(Buffer.alloc(0));
}
