import { isIPv4, isIPv6 } from 'node:net';

const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i;

/** A caller's address as it is told on: IPv4 in IPv6 (RFC 4291, section 2.5.5.2) as IPv4, without a zone. */
export function clientAddress(remoteAddress: string | undefined): string {
  const [address = ''] = (remoteAddress ?? '').split('%', 1);
  return mapped.exec(address)?.[1] ?? address;
}

/**
 * Under which a caller is counted: an IPv4 address, or the first 64 bits of an IPv6 one, of which every household has as
 * many as it likes. Whatever is neither is counted together.
 */
export function clientKey(address: string): string {
  if (isIPv4(address)) return address;
  return isIPv6(address) ? `${firstGroups(address).join(':')}::/64` : 'unknown';
}

/** The first four of eight groups of 16 bits, without leading zeros. */
function firstGroups(address: string): string[] {
  const [head = '', tail] = address.toLowerCase().split('::', 2);
  const before = groupsOf(head);
  const after = tail === undefined ? [] : groupsOf(tail);
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0');
  return [...before, ...zeros, ...after].slice(0, 4);
}

function groupsOf(text: string): string[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => (group.includes('.') ? ['0', '0'] : [group.replace(/^0+(?=.)/, '')]));
}
