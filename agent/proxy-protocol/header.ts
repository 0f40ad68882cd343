import type { Address } from '#agent/config-types.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import { crc32c } from './crc32c.ts';
import { ipBytes, mapped } from './ip-bytes.ts';

/** A caller's connection, as the app is told of it. */
export interface ProxiedConnection {
  /** The caller's end. Both hosts are IP addresses. */
  readonly source: Address;
  /** Ours. */
  readonly destination: Address;
  /** Undefined: nothing; it came in plaintext. */
  readonly proved: ProvedCaller | undefined;
  /** The TLV's type, of the range for applications: 0xE0 to 0xEF. */
  readonly spiffeIdTlv: number;
}

/** Who came by mTLS. */
export interface ProvedCaller {
  readonly spiffeId: SpiffeId;
  /** `TLSv1.3` */
  readonly tlsVersion: string;
  /** Of the caller's certificate; undefined where it has none, or several. */
  readonly commonName: string | undefined;
}

/** The TLV types that we write ("2.2.3. PP2_TYPE_CRC32C", "2.2.6. The PP2_TYPE_SSL type and subtypes"). */
const types = { crc32c: 0x03, ssl: 0x20, sslVersion: 0x21, sslCommonName: 0x22 } as const;

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
/** Version 2, command PROXY. */
const versionAndCommand = 0x21;
const families = { tcp4: 0x11, tcp6: 0x21 } as const;
/** PP2_CLIENT_SSL, PP2_CLIENT_CERT_CONN and PP2_CLIENT_CERT_SESS: by mTLS, with a certificate shown on this connection. */
const sslClient = 0x01 | 0x02 | 0x04;
/** The certificate was verified. */
const sslVerified = 0;

/** A longer common name is left out: a foreign certificate must not make the header too large for the app. */
const maxCommonNameBytes = 256;

/**
 * The PROXY protocol's binary header (haproxy's proxy-protocol.txt, "2.2. Binary header format (version 2)"): the
 * connection's addresses (TCP4, also where they are mapped into IPv6, or TCP6), of a caller that proved who it is how
 * (PP2_TYPE_SSL) and the SPIFFE ID, and a checksum of it all (PP2_TYPE_CRC32C). At most 2,420 bytes: a SPIFFE ID has at
 * most 2,048.
 */
export function proxyHeader(connection: ProxiedConnection): Buffer {
  const { proved, spiffeIdTlv } = connection;
  const { family, addresses } = addressBlock(connection);
  const content = Buffer.concat([
    addresses,
    ...(proved ? [sslTlv(proved), tlv(spiffeIdTlv, Buffer.from(proved.spiffeId, 'utf8'))] : []),
    tlv(types.crc32c, uint32(0)), // counts as zero in the sum, which takes its place
  ]);
  const header = Buffer.concat([signature, Buffer.from([versionAndCommand, family]), uint16(content.length), content]);
  header.writeUInt32BE(crc32c(header), header.length - 4);
  return header;
}

function sslTlv({ tlsVersion, commonName = '' }: ProvedCaller): Buffer {
  const parts = [
    Buffer.from([sslClient]),
    uint32(sslVerified),
    tlv(types.sslVersion, Buffer.from(tlsVersion, 'latin1')),
  ];
  const name = Buffer.from(commonName, 'utf8');
  if (name.length > 0 && name.length <= maxCommonNameBytes) parts.push(tlv(types.sslCommonName, name));
  return tlv(types.ssl, Buffer.concat(parts));
}

/** Addresses, then ports, each source first. A socket's two ends are of one family. */
function addressBlock({ source, destination }: ProxiedConnection): { family: number; addresses: Buffer } {
  const ends = [ipBytes(source.host), ipBytes(destination.host)];
  const isTcp4 = ends.every(({ length }) => length === 4);
  const addresses = Buffer.concat([
    ...(isTcp4 ? ends : ends.map(mapped)),
    uint16(source.port),
    uint16(destination.port),
  ]);
  return { family: isTcp4 ? families.tcp4 : families.tcp6, addresses };
}

function tlv(type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type]), uint16(value.length), value]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
