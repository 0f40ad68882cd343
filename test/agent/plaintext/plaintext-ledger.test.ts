import { describe, expect, test } from 'vitest';
import type { AgentEvent } from '#agent/events.ts';
import { maxCallers } from '#agent/plaintext/ledger-report.ts';
import { PlaintextLedger } from '#agent/plaintext/plaintext-ledger.ts';
import { createFakeClock } from '#support/fake-clock.ts';

function open(modeChanges: 'told' | 'untold' = 'told') {
  const events: AgentEvent[] = [];
  const clock = createFakeClock(1_000);
  const ledger = new PlaintextLedger({ clock, modeChanges, emit: (event) => void events.push(event) });
  ledger.observe(7002, 'PERMISSIVE');
  return { ledger, clock, events, port: () => ledger.report(undefined).ports[0]! };
}

test('a caller has one entry per port and address, with what it did and when', async () => {
  const { ledger, clock, events, port } = open();
  const first = ledger.connected(7002, '10.0.0.1');
  first.admitted('HTTP/1.1', () => 'GET /prices/1');
  await clock.advance(500);
  const second = ledger.connected(7002, '10.0.0.1');
  second.admitted('HTTP/2', () => `POST /${'x'.repeat(100)}`);
  second.admitted('HTTP/1.1', () => 'GET /prices/1');
  second.refused('HTTP/1.1');
  first.closed();
  ledger.observe(7003, 'STRICT');
  ledger.connected(7003, '10.0.0.1').refused('plaintext');
  expect(port().callers).toEqual([
    {
      address: '10.0.0.1',
      ...{ firstSeenMs: 1_000, lastSeenMs: 1_500, lastAdmittedMs: 1_500 },
      ...{ connections: 2, open: 1, admitted: 3, refused: 1 },
      protocols: ['HTTP/1.1', 'HTTP/2'],
      examples: ['GET /prices/1', `POST /${'x'.repeat(74)}…`],
    },
  ]);
  expect(ledger.report(undefined).ports[1]?.callers).toMatchObject([
    { lastAdmittedMs: null, admitted: 0, refused: 1, protocols: ['plaintext'] },
  ]);
  expect(events).toEqual([{ event: 'inbound.plaintext-caller', client: '10.0.0.1', port: 7002, protocol: 'HTTP/1.1' }]);
});

test('it keeps three examples, and asks for no more', () => {
  const { ledger, port } = open();
  const track = ledger.connected(7002, '10.0.0.1');
  for (const path of ['/a', '/a', '/b', '/c']) track.admitted('HTTP/1.1', () => `GET ${path}`);
  track.admitted('HTTP/1.1', () => {
    throw new Error('nobody needs it');
  });
  expect(port().callers[0]?.examples).toEqual(['GET /a', 'GET /b', 'GET /c']);
});

describe('where there is no room', () => {
  const address = (index: number): string => `10.1.${index >> 8}.${index & 255}`;

  test('those that were let in or are still there keep their entries; others are counted together', async () => {
    const { ledger, clock, port } = open();
    const here = ledger.connected(7002, 'here');
    for (let index = 1; index < maxCallers; index += 1) {
      const track = ledger.connected(7002, address(index));
      if (index % 2 === 0) track.admitted('HTTP/1.1');
      else track.refused('HTTP/1.1');
      track.closed();
    }
    expect(port().overflow).toBeNull();
    await clock.advance(10);
    const late = ledger.connected(7002, 'late');
    late.admitted('opaque');
    late.closed();
    const { callers, overflow } = port();
    const known = callers.map((caller) => caller.address);
    expect(known).toHaveLength(maxCallers);
    expect(known).toEqual(expect.arrayContaining(['here', address(2), 'late']));
    expect(known).not.toContain(address(1));
    expect(overflow).toMatchObject({ connections: 1, admitted: 0, refused: 1, lastAdmittedMs: null });
    here.closed();
  });

  test('nobody who was let in is lost: what does not fit is told as such', () => {
    const { ledger, events, port } = open();
    for (let index = 0; index < maxCallers; index += 1) {
      const track = ledger.connected(7002, address(index));
      track.admitted('HTTP/1.1');
      track.closed();
    }
    const before = events.length;
    for (const [index, who] of ['one', 'other'].entries()) {
      const track = ledger.connected(7002, who);
      track.admitted('HTTP/1.1', () => 'GET /a');
      if (index === 0) track.closed();
    }
    expect(port().callers).toHaveLength(maxCallers);
    expect(port().overflow).toEqual({
      ...{ firstSeenMs: 1_000, lastSeenMs: 1_000, lastAdmittedMs: 1_000 },
      ...{ connections: 2, open: 1, admitted: 2, refused: 0 },
    });
    expect(events, 'events of callers are as bounded as they are').toHaveLength(before);
  });
});

test('a port is observed in its mode since that changed', async () => {
  const { ledger, clock, events, port } = open();
  await clock.advance(100);
  ledger.observe(7002, 'PERMISSIVE');
  expect(port()).toMatchObject({ mode: 'PERMISSIVE', sinceMs: 1_000, isUnchanged: true });
  ledger.observe(7002, 'STRICT');
  expect(port()).toMatchObject({ mode: 'STRICT', sinceMs: 1_100, isUnchanged: false });
  expect(events).toEqual([{ event: 'inbound.mode-changed', port: 7002, mode: 'STRICT' }]);
});

test('one of several workers tells that a mode changed', () => {
  const { ledger, events, port } = open('untold');
  ledger.observe(7002, 'STRICT');
  expect(port().mode).toBe('STRICT');
  expect(events).toEqual([]);
});

test('peers are counted where plaintext callers are, and some of them named', async () => {
  const { ledger, clock, port } = open();
  await clock.advance(5);
  for (let index = 0; index < 30; index += 1) ledger.peer(7002, `spiffe://a/ns/b/sa/c${index}`);
  ledger.peer(7009, 'spiffe://a/ns/b/sa/c');
  expect(port().peers).toMatchObject({ connections: 30, lastSeenMs: 1_005 });
  expect(port().peers.names).toHaveLength(20);
  expect(ledger.report('shop/prices')).toMatchObject({ document: 'shop/prices', ports: [{ port: 7002 }] });
});

test('each change gives another number, and nothing else does', () => {
  const { ledger } = open();
  const changes = (): number => ledger.report(undefined).changes;
  let last = changes();
  expect(changes()).toBe(last);
  const track = ledger.connected(7002, 'a');
  const steps = [
    () => ledger.connected(7002, 'b'),
    () => track.admitted('HTTP/1.1'),
    () => track.refused('HTTP/1.1'),
    () => ledger.peer(7002, 'spiffe://a/ns/b/sa/c'),
    () => track.closed(),
    () => ledger.observe(7002, 'STRICT'),
  ];
  for (const step of steps) {
    step();
    expect(changes()).not.toBe(last);
    last = changes();
  }
});
