/** `more`: it has not come whole yet. */
export type AlpnOffer = 'some' | 'none' | 'more';

/** The first byte of a TLS client (RFC 8446, section 5.1). */
export const handshakeRecord = 22;
const clientHello = 1;
const alpnExtension = 16;
/** Far more than any client sends; what is longer is OpenSSL's to refuse. */
const maxBytes = 16_384;

/**
 * Whether a TLS client's first bytes offer protocols by ALPN (RFC 8446, section 4.1.2; RFC 7301, section 3.1). What is no
 * ClientHello counts as `some`: it is OpenSSL that reads it and refuses it.
 */
export function alpnOffer(bytes: Buffer): AlpnOffer {
  const message = handshakeBytes(bytes);
  if (message === undefined) return 'some';
  if (message.length < 4) return tooLong(bytes);
  if (message[0] !== clientHello) return 'some';
  const end = 4 + message.readUIntBE(1, 3);
  if (message.length < end) return tooLong(bytes);
  return hasAlpn(message.subarray(4, end)) ? 'some' : 'none';
}

function tooLong(bytes: Buffer): AlpnOffer {
  return bytes.length < maxBytes ? 'more' : 'some';
}

/** What the records carry so far; undefined: something else than a handshake. */
function handshakeBytes(bytes: Buffer): Buffer | undefined {
  const fragments: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] !== handshakeRecord) return undefined;
    if (bytes.length < at + 5) break;
    const end = at + 5 + bytes.readUInt16BE(at + 3);
    fragments.push(bytes.subarray(at + 5, end));
    at = end;
  }
  return Buffer.concat(fragments);
}

/** `hello` without its header: version, random, session ID, cipher suites, compression methods, extensions. */
function hasAlpn(hello: Buffer): boolean {
  let at = 34;
  at += 1 + (hello[at] ?? 0);
  at += 2 + uint16(hello, at);
  at += 1 + (hello[at] ?? 0);
  const end = at + 2 + uint16(hello, at);
  for (at += 2; at + 4 <= Math.min(end, hello.length); at += 4 + uint16(hello, at + 2)) {
    if (uint16(hello, at) === alpnExtension) return true;
  }
  return false;
}

function uint16(bytes: Buffer, at: number): number {
  return at + 2 <= bytes.length ? bytes.readUInt16BE(at) : 0;
}
