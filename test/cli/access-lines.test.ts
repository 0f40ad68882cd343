import { describe, expect, test } from 'vitest';
import { accessLine } from '#agent/access-log/access-line.ts';
import { readAccessLine } from '#cli/policy/learn/access-lines.ts';
import { accessLogLine } from '#support/access-lines.ts';

const opaque = { protocol: 'opaque', method: undefined, path: undefined };

describe('a line of an access log', () => {
  test('as an agent writes it is a call', () => {
    const numbers = { status: 200, grpcStatus: undefined, durationMs: 1, requestBytes: 0, responseBytes: 0 };
    const nothing = { client: undefined, reason: undefined, decisionId: undefined, traceId: undefined };
    const line = accessLine(
      {
        ...{ ...numbers, ...nothing, direction: 'inbound', protocol: 'HTTP/2', outcome: 'ok' },
        ...{ peer: 'spiffe://a.test/ns/web/sa/cart', destination: 'prices:7002', method: 'GET', path: '/a%20b' },
      },
      { workload: 'prices', spiffeId: 'spiffe://a.test/ns/shop/sa/prices' },
      1_000,
    );
    expect(readAccessLine(line)).toEqual({
      kind: 'admitted',
      atMs: 1_000,
      reason: 'not said',
      call: {
        workload: { trustDomain: 'a.test', namespace: 'shop', name: 'prices' },
        principal: 'spiffe://a.test/ns/web/sa/cart',
        port: 7_002,
        http: { method: 'GET', path: '/a%20b' },
      },
    });
  });

  test.each<[string, Readonly<Record<string, unknown>>, string]>([
    ['an answer of the app, whatever its status', { status: 500 }, 'admitted'],
    ['a stream', opaque, 'admitted'],
    ['a stream whose caller left', { ...opaque, outcome: 'cut' }, 'admitted'],
    ['a stream that was shut (A45)', { ...opaque, outcome: 'cut', decisionId: 'd' }, 'ended-by-decision'],
    ['a refusal', { outcome: 'denied', status: 403, reason: 'no-rule-matches' }, 'refused'],
    ['a refusal of a stream', { ...opaque, outcome: 'denied', reason: 'no-rule-matches' }, 'refused'],
    ['what came to nothing', { outcome: 'failed', status: 503 }, 'failed'],
    ['an outcome of a later version', { outcome: 'new' }, 'failed'],
    ['what the caller’s agent wrote', { direction: 'outbound' }, 'other-direction'],
    ['what a gateway wrote', { direction: 'gateway', client: '192.0.2.1' }, 'other-direction'],
    ['one without a SPIFFE ID', { spiffeId: undefined }, 'unnamed'],
    ['a namespace that no document can have', { spiffeId: 'spiffe://a.test/ns/Shop/sa/prices' }, 'unnamed'],
    ['a workload without a namespace', { spiffeId: 'spiffe://a.test/prices' }, 'unnamed'],
    ['a workload that none can be', { workload: 'a: b', destination: 'a: b:1' }, 'unnamed'],
    ['a caller without a certificate', { peer: undefined }, 'plaintext'],
    ['a peer that has no SPIFFE ID', { peer: 'cart' }, 'unclear'],
    ['a peer with a line break in it', { peer: 'spiffe://a.test/ns/a/sa/b\n- evil' }, 'unclear'],
    ['a port that is none', { destination: 'prices:0' }, 'unclear'],
    ['another destination', { destination: 'orders:7002' }, 'unclear'],
    ['a head that could not be read', { protocol: 'HTTP', method: undefined, path: undefined }, 'unclear'],
    ['a path that was cut', { path: `/${'a'.repeat(2_047)}…` }, 'unclear'],
    ['a path that is not let pass (A56)', { path: '/a/%2e%2e%2fb' }, 'unclear'],
    ['a path with an encoded slash', { path: '/a%2Fb' }, 'unclear'],
    ['no time', { time: 'today' }, 'foreign'],
  ])('%s: %j is %s', (_, changes, expected) => {
    const reading = readAccessLine(accessLogLine(changes));
    expect('why' in reading ? reading.why : reading.kind).toBe(expected);
  });

  test.each([
    ['{"time":"2026-03-01T12:00:0', 'broken'],
    ['ready at 127.0.0.1', 'broken'],
    ['{"event":"agent.ready","time":1}', 'foreign'],
    ['null', 'foreign'],
    ['[1]', 'foreign'],
    ['"inbound"', 'foreign'],
  ])('%s is %s', (line, why) => {
    expect(readAccessLine(line)).toEqual({ kind: 'no-access-line', why });
  });

  test('a path of a refusal is read as it would have been judged', () => {
    const line = accessLogLine({ outcome: 'denied', reason: 'no-rule-matches', path: '/a/./%62' });
    expect(readAccessLine(line)).toMatchObject({ kind: 'refused', call: { http: { path: '/a/b' } } });
  });
});
