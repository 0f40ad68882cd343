/** What most messages fit in, bytes. */
const smallBytes = 8_192;
/** What one write takes at most, bytes. */
export const largeBytes = 65_536;

/** Of each size, at most a megabyte waits for its next use. */
const small: Buffer[] = [];
const large: Buffer[] = [];
const maxSmall = 128;
const maxLarge = 16;

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
