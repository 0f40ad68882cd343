import { isIPv4 } from 'node:net';

const mappedPrefix = Buffer.from('00000000000000000000ffff', 'hex');

/**
 * An IP address as Node tells it, in network byte order: 4 bytes for IPv4, also where it is mapped into IPv6 (RFC 4291,
 * section 2.5.5.2), else 16. A zone (`%eth0`) is left out.
 */
export function ipBytes(text: string): Buffer {
  const [address = ''] = text.split('%', 1);
  if (isIPv4(address)) return ipv4Bytes(address);
  const [head = '', tail] = address.split('::');
  const [before, after] = [groupBytes(head), groupBytes(tail ?? '')];
  const zeros = Buffer.alloc(Math.max(0, 16 - before.length - after.length));
  const bytes = Buffer.concat([before, zeros, after], 16);
  return bytes.subarray(0, mappedPrefix.length).equals(mappedPrefix) ? bytes.subarray(mappedPrefix.length) : bytes;
}

/** The same address as 16 bytes. */
export function mapped(ip: Buffer): Buffer {
  return ip.length === 4 ? Buffer.concat([mappedPrefix, ip]) : ip;
}

function ipv4Bytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

/** Groups of IPv6, the last of which may be IPv4. */
function groupBytes(groups: string): Buffer {
  if (groups === '') return Buffer.alloc(0);
  return Buffer.concat(
    groups.split(':').map((group) => (isIPv4(group) ? ipv4Bytes(group) : Buffer.from(group.padStart(4, '0'), 'hex'))),
  );
}
