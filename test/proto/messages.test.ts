import { describe, expect, test } from 'vitest';
import * as admin from '#proto/admin-messages.ts';
import * as messages from '#proto/messages.ts';
import { maxRequestBytes } from '#proto/messages.ts';
import * as tables from '#proto/tables.ts';
import { encode, type Encodable } from '#proto/wire.ts';
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
    expect(words(messages.parseIssueCertificateRequest(encode(issueTable, message)))).toBe(expected);
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
    [{ acknowledge: { version: 1, problem: 'x'.repeat(501) } }, 'text-too-long'],
    [{ acknowledge: { version: 1 } }, 'accepted'],
    [{}, 'unknown-kind'],
  ] satisfies [Encodable<typeof watchTable>, string][])('Watch %o is %s', (message, expected) => {
    expect(words(messages.parseWatchRequest(encode(watchTable, message)))).toBe(expected);
  });
});

describe('what a control plane may say', () => {
  const bundle = { trustDomain: 'shop.example', version: 1, roots: ca.bundle.roots };
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
      expect(words(messages.parseIssueCertificateResponse(bytes))).toBe(expected);
    },
  );
});

test.each([
  { kind: 'subscribe', upstreams: ['prices', 'orders'], endpoints: [endpoint], agentVersion: '0.1.0' },
  { kind: 'acknowledge', version: 3, problem: 'no' },
] satisfies messages.WatchRequest[])('$kind is read as it was written', (request) => {
  expect(messages.parseWatchRequest(messages.encodeWatchRequest(request))).toEqual({ ok: true, value: request });
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
  const request = { kind: 'subscribe', upstreams, endpoints, agentVersion: 'v'.repeat(500) } as const;
  const bytes = messages.encodeWatchRequest(request);
  expect(messages.parseWatchRequest(bytes)).toEqual({ ok: true, value: request });
  expect(bytes.length).toBeLessThan(maxRequestBytes);
});
