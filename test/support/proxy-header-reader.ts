/** What an app learns from a PROXY protocol header of version 2; read by the specification, strictly. */
export interface ReadProxyHeader {
  readonly family: 'TCP4' | 'TCP6';
  readonly source: string;
  readonly destination: string;
  /** By type: the value of each TLV, of which there is one each. */
  readonly tlvs: ReadonlyMap<number, Buffer>;
  /** PP2_TYPE_SSL, taken apart; undefined: it is not there. */
  readonly ssl: SslFacts | undefined;
  /** What came behind the header. */
  readonly rest: Buffer;
}

interface SslFacts {
  readonly client: number;
  readonly verify: number;
  readonly tlvs: ReadonlyMap<number, Buffer>;
}

/** Bytes of the whole header at the beginning of `bytes`; undefined while too few of them are there. */
export function proxyHeaderLength(bytes: Buffer): number | undefined {
  if (bytes.length < 16) return undefined;
  const length = 16 + bytes.readUInt16BE(14);
  return bytes.length < length ? undefined : length;
}

/** Throws what is wrong with it, a wrong or missing checksum too. */
export function readProxyHeader(bytes: Buffer): ReadProxyHeader {
  const length = proxyHeaderLength(bytes) ?? fail('it is not whole');
  if (bytes.toString('latin1', 0, 12) !== '\r\n\r\n\0\r\nQUIT\n') fail('no signature');
  if (bytes[12] !== 0x21) fail('not version 2 and PROXY');
  const family = bytes[13] === 0x11 ? 'TCP4' : bytes[13] === 0x21 ? 'TCP6' : fail('not TCP4 or TCP6');
  const size = family === 'TCP4' ? 4 : 16;
  const address = (at: number): string =>
    family === 'TCP4'
      ? [...bytes.subarray(at, at + 4)].join('.')
      : (bytes.toString('hex', at, at + 16).match(/..../g) ?? []).join(':');
  const [ports, end] = [16 + 2 * size, 16 + 2 * size + 4];
  const header = bytes.subarray(0, length);
  const tlvs = readTlvs(header.subarray(end));
  const sum = tlvs.get(0x03) ?? fail('no checksum');
  const at = sum.byteOffset - header.byteOffset; // a view of the same bytes
  const blank = Buffer.concat([header.subarray(0, at), Buffer.alloc(4), header.subarray(at + 4)]);
  if (slowCrc32c(blank) !== sum.readUInt32BE()) fail('wrong checksum');
  const ssl = tlvs.get(0x20);
  return {
    family,
    source: `${address(16)} ${bytes.readUInt16BE(ports)}`,
    destination: `${address(16 + size)} ${bytes.readUInt16BE(ports + 2)}`,
    tlvs,
    ssl: ssl && { client: ssl.readUInt8(0), verify: ssl.readUInt32BE(1), tlvs: readTlvs(ssl.subarray(5)) },
    rest: bytes.subarray(length),
  };
}

/** Bit by bit, most significant first, so that it shares nothing with a table of reversed bits. */
export function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit += 1) {
      const top = ((crc >> 31n) & 1n) ^ BigInt((byte >> bit) & 1);
      crc = (crc << 1n) & 0xffffffffn;
      if (top === 1n) crc ^= 0x1edc6f41n;
    }
  }
  const reversed = [...(crc ^ 0xffffffffn).toString(2).padStart(32, '0')].reverse().join('');
  return Number.parseInt(reversed, 2);
}

function readTlvs(bytes: Buffer): Map<number, Buffer> {
  const all = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length;) {
    if (bytes.length - at < 3) fail('half a TLV');
    const [type, from] = [bytes.readUInt8(at), at + 3];
    const end = from + bytes.readUInt16BE(at + 1);
    if (end > bytes.length) fail('a TLV that is too long');
    if (all.has(type)) fail('two TLVs of one type');
    all.set(type, bytes.subarray(from, end));
    at = end;
  }
  return all;
}

function fail(problem: string): never {
  throw new Error(`bad PROXY header: ${problem}`);
}
