import { createServer, type ServerResponse } from 'node:http';
import type { ClientHttp2Session } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { http2Client } from '#support/h2-apps.ts';
import { listening } from '#support/listening.ts';
import { startProcessPair } from '#support/process-pair.ts';

const count = 200;
const downloadBytes = 1_500_000;
const piece = Buffer.alloc(65_536, 'x');

/** An app that sends as fast as it may. */
async function startDownloads() {
  const server = createServer((incoming, response: ServerResponse) => {
    let left = downloadBytes;
    response.setHeader('content-length', left);
    const more = (): void => {
      while (left > 0) {
        const bytes = piece.subarray(0, Math.min(left, piece.length));
        left -= bytes.length;
        if (!response.write(bytes)) return void response.once('drain', more);
      }
      response.end();
    };
    incoming.resume();
    more();
  });
  return listening(server, () => server.closeAllConnections());
}

/** Reads a body with a rest after each piece; resolves with its length, rejects when it breaks off. */
async function downloadSlowly(session: ClientHttp2Session): Promise<number> {
  const stream = session.request({ ':path': '/', ':authority': 'prices' });
  let bytes = 0;
  for await (const part of stream as AsyncIterable<Buffer>) {
    bytes += part.length;
    await sleep(part.length / 250); // 250 KB/s each
  }
  return bytes;
}

test(`${count} honest downloads by slow readers at once come whole, though all their windows together are more than the ceiling (A54)`, async () => {
  await using app = await startDownloads();
  await using pair = await startProcessPair({ ports: [{ port: 7002, app: app.port, protocol: 'http' }] });
  const session = http2Client(await pair.upstreamPort(7002)); // its windows are small, whatever the kernel's buffers
  const ends = await Promise.allSettled(Array.from({ length: count }, () => downloadSlowly(session)));
  session.destroy();
  const broken = ends.filter(({ status }) => status === 'rejected');
  expect(broken.length, JSON.stringify(pair.cart.events.slice(-2))).toBe(0);
  expect(ends.every((end) => end.status === 'fulfilled' && end.value === downloadBytes)).toBe(true);
});
