import { expect, test } from 'vitest';
import { filterOutside, tellForwarded } from '#agent/gateway/forwarded-headers.ts';
import { headerField } from '#agent/http/header-field.ts';

const caller = { address: '192.0.2.7', scheme: 'https' } as const;
const fields = (names: readonly string[]) => names.map((name) => headerField(name, 'forged'));
const told = (names: readonly string[]) =>
  tellForwarded(fields(names), 'shop.example:8443', caller).map(({ name, value }) => `${name}: ${value}`);

const own = ['x-forwarded-for: 192.0.2.7', 'x-forwarded-proto: https', 'x-forwarded-host: shop.example:8443'];

test.each([
  'X-Forwarded-For',
  'x_forwarded_for',
  'X.Forwarded.Proto',
  'X-Forwarded-Host',
  'X-Forwarded-Port',
  'X-Forwarded-User',
  'X-Forwarded-Client-Cert',
  'X_Forwarded_Client_Cert',
  'Forwarded',
  'X-Real-IP',
  'True-Client-IP',
  'X-Original-URL',
  'Proxy',
  'X-Eastwest-Port',
  'X-Eastwest-Decision',
  'X-Mesh-Identity',
  'Workload-Identity-Token',
])('A48: %s from outside is removed, and who called is set, never appended to', (name) => {
  expect(told(['Accept', name, name])).toEqual(['accept: forged', ...own]);
});

test('what means nothing to us passes, a user’s token too', () => {
  const names = ['authorization', 'cookie', 'x-request-id', 'traceparent', 'x-forward', 'content-type'];
  expect(told(names)).toEqual([...names.map((name) => `${name}: forged`), ...own]);
});

test('a caller of HTTP/1.0 may name no host', () => {
  expect(tellForwarded([], '', caller).map(({ name }) => name)).toEqual(['x-forwarded-for', 'x-forwarded-proto']);
});

test('of answers and trailers the same is hidden, but for the decision that another agent names', () => {
  const passed = filterOutside(fields(['etag', 'x-eastwest-decision', 'x-eastwest-port', 'x-forwarded-client-cert']));
  expect(passed.map(({ name }) => name)).toEqual(['etag', 'x-eastwest-decision']);
  const clean = fields(['etag']);
  expect(filterOutside(clean)).toBe(clean);
});
