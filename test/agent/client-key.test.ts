import { expect, test } from 'vitest';
import { clientAddress, clientKey } from '#agent/client-key.ts';

test.each([
  ['192.0.2.7', '192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7', '192.0.2.7'],
  ['::FFFF:192.0.2.7', '192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::9', '2001:db8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:DB8:01:0002::9', '2001:DB8:01:0002::9', '2001:db8:1:2::/64'],
  ['2001:db8::9', '2001:db8::9', '2001:db8:0:0::/64'],
  ['::1', '::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80::1', 'fe80:0:0:0::/64'],
  ['64:ff9b::192.0.2.7', '64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
  ['1:2:3:4:5:6:192.0.2.7', '1:2:3:4:5:6:192.0.2.7', '1:2:3:4::/64'],
  [undefined, '', 'unknown'],
  ['not an address', 'not an address', 'unknown'],
])('%s is told on as %s and counted as %s', (remote, address, key) => {
  expect(clientAddress(remote)).toBe(address);
  expect(clientKey(address)).toBe(key);
});
