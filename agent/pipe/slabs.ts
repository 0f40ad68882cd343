/** What most messages fit in, bytes. */
const smallBytes = 8_192;
/** What one write takes at most, bytes: five TLS records, or a body of 64 KiB together with its head. */
export const largeBytes = 81_920;

/** A megabyte of the small and two of the large wait for their next use at most. */
const small: Buffer[] = [];
const large: Buffer[] = [];
const maxSmall = 128;
const maxLarge = 25;

/** Memory for bytes on their way out, its content unspecified: `largeBytes`, or less where `bytes` fit in less. */
export function takeSlab(bytes: number): Buffer {
  return bytes <= smallBytes
    ? (small.pop() ?? Buffer.allocUnsafeSlow(smallBytes))
    : (large.pop() ?? Buffer.allocUnsafeSlow(largeBytes));
}

/** Takes back what `takeSlab` gave. Nobody may look at it any more. */
export function giveSlab(slab: Buffer): void {
  if (slab.length === smallBytes) {
    if (small.length < maxSmall) small.push(slab);
  } else if (large.length < maxLarge) large.push(slab);
}
