import { expect, test } from 'vitest';
import { isReservedName } from '#agent/http/reserved.ts';
import { isHopByHop } from '#agent/http/write.ts';
import { isUnjudgedHeader } from '#policy/refused-fields.ts';

test.each([
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'upgrade'],
  ...['transfer-encoding', 'content-length', 'x-forwarded-client-cert', 'x-mesh-identity', 'workload-identity-token'],
  ...['workload-proof-token', 'x-eastwest-port', 'x_forwarded_client_cert', 'x.eastwest.decision'],
  ...['x-env', 'cookie', 'authorization', 'x-forwarded-for', 'content-type', 'traceparent', 'expect', 'x-eastwest'],
])('documents may ask about %s only where rules see it', (name) => {
  expect(isUnjudgedHeader(name)).toBe(isHopByHop(name) || isReservedName(name));
});
