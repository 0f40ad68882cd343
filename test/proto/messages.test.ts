import { describe, expect, test } from 'vitest';
import * as admin from '#proto/admin-messages.ts';
import * as issuing from '#proto/issue-messages.ts';
import * as messages from '#proto/messages.ts';
import { maxRequestBytes } from '#proto/messages.ts';
import * as tables from '#proto/tables.ts';
import { decode, encode, type Encodable } from '#proto/wire.ts';
import { createTestCa } from '#support/test-ca.ts';

const ca = createTestCa({ nowMs: 1_700_000_000_000 });
const spiffeId = 'spiffe://shop.example/ns/default/sa/prices';
const endpoint = { host: '127.0.0.1', port: 15_008 };
const words = (result: { ok: true } | { ok: false; reason: string }): string =>
  result.ok ? 'accepted' : result.reason;

describe('what an agent may say', () => {
  const issueTable = tables.issueCertificateRequest;
  test.each([
    [{ csr: Buffer.of(1), joinToken: 'ew1.x' }, 'accepted'],
    [{ csr: Buffer.of(1), currentSvid: {} }, 'accepted'],
    [{ csr: Buffer.of(1) }, 'bad-attestation'],
    [{ csr: Buffer.of(1), joinToken: '' }, 'bad-attestation'],
    [{ csr: Buffer.of(1), joinToken: 'x'.repeat(201) }, 'bad-attestation'],
  ] satisfies [Encodable<typeof issueTable>, string][])('IssueCertificate %o is %s', (message, expected) => {
    expect(words(issuing.parseIssueCertificateRequest(encode(issueTable, message)))).toBe(expected);
  });

  const watchTable = tables.watchRequest;
  test.each([
    [{ subscribe: {} }, 'accepted'],
    [{ subscribe: { upstreams: ['prices'], endpoints: [endpoint] } }, 'accepted'],
    [{ subscribe: { endpoints: [{ host: '::1', port: 1 }] } }, 'accepted'],
    [{ subscribe: { upstreams: ['Prices'] } }, 'bad-workload-name'],
    [{ subscribe: { upstreams: ['-prices'] } }, 'bad-workload-name'],
    [{ subscribe: { upstreams: ['a'.repeat(64)] } }, 'bad-workload-name'],
    [{ subscribe: { upstreams: Array.from({ length: 1001 }, () => 'a') } }, 'too-many-items'],
    [{ subscribe: { endpoints: Array.from({ length: 17 }, () => endpoint) } }, 'too-many-items'],
    [{ subscribe: { endpoints: [{ host: 'localhost', port: 1 }] } }, 'bad-endpoint'],
    [{ subscribe: { endpoints: [{ host: 'fe80::1%eth0', port: 1 }] } }, 'bad-endpoint'],
    [{ subscribe: { endpoints: [{ host: '127.0.0.1', port: 0 }] } }, 'bad-endpoint'],
    [{ subscribe: { endpoints: [{ host: '127.0.0.1', port: 65_536 }] } }, 'bad-endpoint'],
    [{ subscribe: { agentVersion: 'x'.repeat(501) } }, 'text-too-long'],
    [
      {
        subscribe: {
          ports: [
            { port: 1, protocol: 'tcp' },
            { port: 65_535, protocol: 'auto' },
          ],
        },
      },
      'accepted',
    ],
    [{ subscribe: { ports: Array.from({ length: 101 }, (_none, index) => ({ port: index + 1 })) } }, 'too-many-items'],
    [{ subscribe: { ports: [{ port: 0, protocol: 'tcp' }] } }, 'bad-port'],
    [{ subscribe: { ports: [{ port: 65_536, protocol: 'tcp' }] } }, 'bad-port'],
    [
      {
        subscribe: {
          ports: [
            { port: 1, protocol: 'tcp' },
            { port: 1, protocol: 'http' },
          ],
        },
      },
      'bad-port',
    ],
    [{ acknowledge: { version: 1, problem: 'x'.repeat(501) } }, 'text-too-long'],
    [{ acknowledge: { version: 1 } }, 'accepted'],
    [{}, 'unknown-kind'],
  ] satisfies [Encodable<typeof watchTable>, string][])('Watch %o is %s', (message, expected) => {
    expect(words(messages.parseWatchRequest(encode(watchTable, message)))).toBe(expected);
  });
});

describe('what a control plane may say', () => {
  const bundle = { trustDomain: 'shop.example', version: 1, roots: ca.bundle.roots };
  const ref = { kind: 'AuthorizationPolicy', namespace: 'default', name: 'cart' };
  const part = { revision: 8, sinceRevision: 7, part: 1, parts: 2 };
  const table = tables.watchResponse;
  test.each([
    ['a bundle', { version: 1, trustBundle: bundle }, 'accepted'],
    ['a bundle without roots', { version: 1, trustBundle: { ...bundle, roots: [] } }, 'bad-trust-bundle'],
    ['a bundle of rubbish', { version: 1, trustBundle: { ...bundle, roots: [Buffer.of(1)] } }, 'bad-trust-bundle'],
    [
      'workloads',
      { version: 1, workloads: { workloads: [{ name: 'a', spiffeId, endpoints: [endpoint] }] } },
      'accepted',
    ],
    [
      'a bad SPIFFE ID',
      { version: 1, workloads: { workloads: [{ name: 'a', spiffeId: 'spiffe://A/b' }] } },
      'bad-spiffe-id',
    ],
    ['a bad name', { version: 1, workloads: { workloads: [{ name: '', spiffeId }] } }, 'bad-workload-name'],
    ['settings', { version: 1, settings: { svidLifeMs: 10_000 } }, 'accepted'],
    ['a life of nothing', { version: 1, settings: {} }, 'bad-time'],
    ['a whole set of no policies', { version: 1, policies: { part: 1, parts: 1 } }, 'accepted'],
    ['a part of policies', { version: 1, policies: { ...part, documents: [{ ...ref, json: '{}' }] } }, 'accepted'],
    [
      'a policy without a namespace',
      { version: 1, policies: { ...part, gone: [{ ...ref, namespace: '' }] } },
      'accepted',
    ],
    ['part 0', { version: 1, policies: { ...part, part: 0 } }, 'bad-policy-part'],
    ['part 1 of 1001', { version: 1, policies: { ...part, parts: 1_001 } }, 'bad-policy-part'],
    ['part 3 of 2', { version: 1, policies: { ...part, part: 3 } }, 'bad-policy-part'],
    ['what differs from the future', { version: 1, policies: { ...part, sinceRevision: 9 } }, 'bad-policy-part'],
    ['a policy without a name', { version: 1, policies: { ...part, gone: [{ ...ref, name: '' }] } }, 'bad-policy-name'],
    ['a name of two', { version: 1, policies: { ...part, gone: [{ ...ref, name: 'a/b' }] } }, 'bad-policy-name'],
    ['a kind of tomorrow', { version: 7 }, 'unknown-kind'],
    ['no version', { settings: { svidLifeMs: 10_000 } }, 'bad-version'],
  ] satisfies [string, Encodable<typeof table>, string][])('%s is %s', (_name, message, expected) => {
    expect(words(messages.parseWatchResponse(encode(table, message)))).toBe(expected);
  });

  test.each([
    ['a chain', { chain: [Buffer.of(1)], trustBundle: bundle, signedAtMs: 1 }, 'accepted'],
    ['no chain', { trustBundle: bundle, signedAtMs: 1 }, 'bad-chain'],
    [
      'nine certificates',
      { chain: Array.from({ length: 9 }, () => Buffer.of(1)), trustBundle: bundle, signedAtMs: 1 },
      'bad-chain',
    ],
    ['no bundle', { chain: [Buffer.of(1)], signedAtMs: 1 }, 'bad-trust-bundle'],
    ['no time', { chain: [Buffer.of(1)], trustBundle: bundle }, 'bad-time'],
  ] satisfies [string, Encodable<typeof tables.issueCertificateResponse>, string][])(
    'a certificate with %s is %s',
    (_name, message, expected) => {
      const bytes = encode(tables.issueCertificateResponse, message);
      expect(words(issuing.parseIssueCertificateResponse(bytes))).toBe(expected);
    },
  );
});

test.each([
  {
    kind: 'subscribe',
    upstreams: ['prices', 'orders'],
    endpoints: [endpoint],
    agentVersion: '0.1.0',
    ports: [{ port: 7002, protocol: 'tcp' }],
  },
  { kind: 'acknowledge', version: 3, problem: 'no' },
] satisfies messages.WatchRequest[])('$kind is read as it was written', (request) => {
  expect(messages.parseWatchRequest(messages.encodeWatchRequest(request))).toEqual({ ok: true, value: request });
});

describe('a wish from before ports were told of', () => {
  const old = Buffer.from(
    '0a1f 0a06 707269636573 120e 0a09 3132372e302e302e31 10a075 1a05 302e312e30'.replaceAll(' ', ''),
    'hex',
  );

  test('is read as ever, with no ports', () => {
    expect(messages.parseWatchRequest(old)).toEqual({
      ok: true,
      value: { kind: 'subscribe', upstreams: ['prices'], endpoints: [endpoint], agentVersion: '0.1.0', ports: [] },
    });
  });

  test('is what a new agent without ports says, byte for byte', () => {
    const wish = { upstreams: ['prices'], endpoints: [endpoint], agentVersion: '0.1.0', ports: [] };
    expect(messages.encodeWatchRequest({ kind: 'subscribe', ...wish })).toEqual(old);
  });

  test('is what an old control plane reads of a new one', () => {
    const { ports: _unknown, ...older } = tables.subscribe;
    const wish = { upstreams: ['prices'], endpoints: [endpoint], agentVersion: '0.1.0' };
    const bytes = encode(tables.subscribe, { ...wish, ports: [{ port: 7002, protocol: 'tcp' }] });
    expect(decode(older, bytes)).toEqual({ ok: true, value: wish });
  });
});

test('a port of a protocol of tomorrow is one of which nothing is known', () => {
  const ports = [
    { port: 1, protocol: 'quic' },
    { port: 2, protocol: 'tcp' },
  ];
  const read = messages.parseWatchRequest(encode(tables.watchRequest, { subscribe: { ports } }));
  expect(read).toMatchObject({ ok: true, value: { ports: [{ port: 2, protocol: 'tcp' }] } });
});

test.each([
  ['settings', '0801 2203 08e807', { kind: 'settings', version: 1, svidLifeMs: 1000 }],
  ['no workloads', '0802 1a00', { kind: 'workloads', version: 2, workloads: [] }],
] as const)('%s of a control plane that knows no policies are read as ever', (_name, hex, value) => {
  const vector = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  expect(messages.parseWatchResponse(vector)).toEqual({ ok: true, value });
});

test('policies are a kind of tomorrow for an agent that knows none: it says so, by the version', () => {
  const policies = { revision: 8, sinceRevision: 0, part: 1, parts: 1, documents: [], gone: [] };
  const bytes = messages.encodeWatchResponse({ kind: 'policies', version: 7, policies });
  expect(messages.parseWatchResponse(bytes)).toEqual({ ok: true, value: { kind: 'policies', version: 7, policies } });
  const { policies: _unknown, ...older } = tables.watchResponse;
  const read = decode(older, bytes);
  expect(read).toEqual({
    ok: true,
    value: { version: 7, trustBundle: undefined, workloads: undefined, settings: undefined, tokenKeys: undefined },
  });
});

test('what the operator asks for is checked too', () => {
  const ask = (request: Partial<admin.CreateJoinTokenRequest>) =>
    words(
      admin.parseCreateJoinTokenRequest(
        admin.encodeCreateJoinTokenRequest({ workload: 'prices', namespace: 'default', ttlMs: 1000, ...request }),
      ),
    );
  expect([ask({}), ask({ workload: '../x' }), ask({ namespace: 'A' }), ask({ ttlMs: 0 }), ask({ ttlMs: -5 })]).toEqual([
    'accepted',
    'bad-workload-name',
    'bad-workload-name',
    'bad-time',
    'bad-time',
  ]);
});

test('the largest wish that is allowed fits into a request', () => {
  const endpoints = Array.from({ length: 16 }, (_none, index) => ({
    host: `2001:db8:aaaa:bbbb:cccc:dddd:eeee:${4096 + index}`,
    port: 65_535,
  }));
  const upstreams = Array.from({ length: 1000 }, (_none, index) => `${'x'.repeat(59)}${1000 + index}`);
  const ports = Array.from({ length: 100 }, (_none, index) => ({ port: 65_535 - index, protocol: 'http2' }) as const);
  const request = { kind: 'subscribe', upstreams, endpoints, agentVersion: 'v'.repeat(500), ports } as const;
  const bytes = messages.encodeWatchRequest(request);
  expect(messages.parseWatchRequest(bytes)).toEqual({ ok: true, value: request });
  expect(bytes.length).toBeLessThan(maxRequestBytes);
});
