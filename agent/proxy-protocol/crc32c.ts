/** One row per value of a byte, of the polynomial 0x1EDC6F41 with its bits reversed. */
const rows = new Uint32Array(256).map((_, byte) => {
  let row = byte;
  for (let bit = 0; bit < 8; bit += 1) row = row & 1 ? (row >>> 1) ^ 0x82f63b78 : row >>> 1;
  return row;
});

/** CRC32c (RFC 9260, appendix A; in RFC 4960 appendix B) as an unsigned number. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = rows[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
