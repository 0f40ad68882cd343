/**
 * Whether a server that speaks first speaks HTTP/2: its SETTINGS (RFC 9113, section 6.5) may come before the caller has
 * said anything.
 */
export function isHttp2Settings(bytes: Buffer): boolean {
  if (bytes.length < 9) return false;
  return bytes.readUIntBE(0, 3) % 6 === 0 && bytes[3] === 4 && bytes[4] === 0 && bytes.readUInt32BE(5) === 0;
}
