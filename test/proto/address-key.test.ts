import { expect, test } from 'vitest';
import { addressKey } from '#proto/address-key.ts';

test.each([
  ['192.0.2.1:40000', '192.0.2.1'],
  ['::ffff:192.0.2.1:40000', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6:40000', '2001:db8:1:2'],
  ['2001:db8:1:2::1:40000', '2001:db8:1:2'],
  ['2001:db8::1:40000', '2001:db8:0:0'],
  ['::1:40000', '0:0:0:0'],
])('%s counts as %s', (peer, key) => {
  expect(addressKey(peer)).toBe(key);
});
