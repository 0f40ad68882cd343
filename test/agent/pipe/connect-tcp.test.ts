import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { connectTcp } from '#agent/pipe/connect-tcp.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { createRecordingReader } from '#support/recording-reader.ts';
import { turns } from '#support/turns.ts';

async function listen(): Promise<{ port: number; close: () => void }> {
  const server = createServer((socket) => socket.end('220 hello\r\n'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

test('a server that speaks first is heard once the pipe is resumed, and no timer is left behind', async () => {
  const server = await listen();
  const clock = createFakeClock(0);
  const connected = await connectTcp({ host: '127.0.0.1', port: server.port }, { clock });
  if (!connected.ok) throw new Error(connected.reason);
  const reader = createRecordingReader();
  connected.value.reader = reader;
  await turns();
  expect([reader.story, clock.waiting()]).toEqual([[], 0]);
  connected.value.resume();
  await reader.told('end');
  expect(String(reader.bytes)).toBe('220 hello\r\n');
  connected.value.end();
  await reader.told('cut');
  server.close();
});

test('nobody listens there: app-unreachable', async () => {
  const server = await listen();
  server.close();
  await turns();
  const clock = createFakeClock(0);
  const connected = await connectTcp({ host: '127.0.0.1', port: server.port }, { clock });
  expect([connected, clock.waiting()]).toEqual([{ ok: false, reason: 'app-unreachable' }, 0]);
});

test.each([
  ['the deadline passes', 'deadline'],
  ['the caller gives up', 'signal'],
])('%s: app-unreachable', async (_case, how) => {
  const server = await listen();
  const clock = createFakeClock(0);
  const stop = new AbortController();
  const due: { ms: number; fire: () => void }[] = [];
  const impatient = {
    ...clock,
    timer(ms: number, fire: () => void) {
      due.push({ ms, fire });
      return { cancel: () => undefined };
    },
  };
  const connecting = connectTcp(
    { host: '127.0.0.1', port: server.port },
    { clock: impatient, deadlineMs: 100, signal: stop.signal },
  );
  if (how === 'deadline') due[0]?.fire();
  else stop.abort();
  expect([await connecting, due[0]?.ms]).toEqual([{ ok: false, reason: 'app-unreachable' }, 100]);
  const late = connectTcp({ host: '127.0.0.1', port: server.port }, { clock, signal: AbortSignal.abort() });
  expect(await late).toEqual({ ok: false, reason: 'app-unreachable' });
  server.close();
});
