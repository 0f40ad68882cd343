import { isIPv6 } from 'node:net';

/** `192.0.2.1:40000` → `192.0.2.1`; of IPv6 the first 64 bits, because one host commands all the rest. */
export function addressKey(peerAddress: string): string {
  const host = peerAddress.slice(0, peerAddress.lastIndexOf(':')).replace(/^::ffff:(?=\d+\.)/, '');
  if (!isIPv6(host)) return host;
  const [head = '', tail] = host.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) while (groups.length < 4) groups.push('0'); // what `::` stands for reaches past the 64th bit, or is cut
  return groups.slice(0, 4).join(':');
}
