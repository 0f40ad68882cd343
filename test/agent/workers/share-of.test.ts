import { expect, test } from 'vitest';
import { parseAgentConfig } from '#agent/config.ts';
import { handshakeCeilings } from '#agent/inbound/handshakes.ts';
import { shareOf } from '#agent/workers/share-of.ts';

const peer = '"spiffeId": "spiffe://shop.example/ns/default/sa/prices", "endpoints": ["127.0.0.1:1"]';
const config = (workers: number) => {
  const parsed =
    parseAgentConfig(`{"workload": "cart", "trustDomain": "shop.example", "identity": {"files": {"dir": "/certs"}},
    "workers": ${workers}, "limits": {"connections": 1000, "requests": 10},
    "outbound": {"upstreams": [{"workload": "prices", "port": 7002, "listen": "127.0.0.1:9101", "maxRequests": 7, ${peer}}]}}`);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
};

test.each([
  [1, 1_000, 10, 7],
  [2, 500, 5, 4],
  [3, 334, 4, 3],
  [64, 16, 1, 1],
])('each of %i workers may have %i connections, %i requests, %i of them to one upstream', (workers, ...expected) => {
  const { limits, outbound } = shareOf(config(workers));
  expect([limits.connections, limits.requests, outbound?.upstreams[0]?.maxRequests]).toEqual(expected);
});

test('nothing else is shared out', () => {
  const whole = config(4);
  const { limits, outbound, ...others } = shareOf(whole);
  const { limits: wholeLimits, outbound: wholeOutbound, ...wholeOthers } = whole;
  expect(others).toEqual(wholeOthers);
  expect({ ...limits, connections: 0, requests: 0 }).toEqual({ ...wholeLimits, connections: 0, requests: 0 });
  expect(outbound?.upstreams[0]).toEqual({ ...wholeOutbound?.upstreams[0], maxRequests: 2 });
});

test('strangers in handshakes: a share each, but never too few for a burst', () => {
  expect([1, 2, 8, 64].map((workers) => handshakeCeilings(workers))).toEqual([
    { total: 512, perAddress: 256 },
    { total: 256, perAddress: 128 },
    { total: 64, perAddress: 32 },
    { total: 64, perAddress: 32 },
  ]);
});
