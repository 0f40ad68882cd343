import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import type { H2Session } from '#agent/h2/types.ts';
import { TcpPipe } from '#agent/pipe/tcp-pipe.ts';
import { bytesOf, large, listening, nodeAsks, pour, startOurs } from '#support/h2-node.ts';
import { h2Fields, okHead, StreamLog } from '#support/h2-raw.ts';

describe.each(['tcp', 'tls'] as const)("Node's client on our server over %s", (wire) => {
  test('sends and gets large bodies and trailers, many at once', async () => {
    const client = await nodeAsks(wire, (log) => {
      log.onEnd = (): void => {
        log.stream?.headers(okHead, false);
        pour(log, log.bytes);
      };
    });
    const answers = Array.from({ length: 4 }, async () => {
      const request = client.request({ ':method': 'POST', 'content-length': large.length });
      request.end(large);
      return bytesOf(request);
    });
    for (const answer of await Promise.all(answers)) expect(answer.equals(large)).toBe(true);
  });

  test('runs through many streams', async () => {
    let served = 0;
    const client = await nodeAsks(wire, (log) => {
      served += 1;
      log.stream?.headers(okHead, false);
      log.stream?.text('hello');
      log.stream?.headers(h2Fields({ 'grpc-status': '0' }), true);
    });
    for (let round = 0; round < 5; round += 1) {
      const answers = Array.from({ length: 100 }, async () => {
        const request = client.request({
          ':path': '/shop.Cart/Get',
          'content-type': 'application/grpc',
          te: 'trailers',
        });
        const trailers = once(request, 'trailers');
        const body = await bytesOf(request);
        const [fields] = (await trailers) as [http2.IncomingHttpHeaders];
        return { body: body.toString(), status: fields['grpc-status'] };
      });
      for (const answer of await Promise.all(answers)) {
        expect(answer).toEqual({ body: 'hello', status: '0' });
      }
    }
    expect(served).toBe(500);
  });
});

describe('a server of ours that drains', () => {
  test("lets Node's client finish, then closes", async () => {
    let ours: H2Session | undefined;
    const held: StreamLog[] = [];
    const server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
      ours = startOurs('server', new TcpPipe(socket), {
        onStream(stream) {
          const log = new StreamLog();
          log.stream = stream;
          stream.handler = log;
          held.push(log);
        },
      });
    });
    const client = http2.connect(`http://127.0.0.1:${await listening(server)}`);
    const request = client.request();
    while (held.length === 0) await new Promise(setImmediate);
    ours?.drain();
    await once(client, 'goaway');
    held[0]?.stream?.headers(okHead, false);
    held[0]?.stream?.text('last');
    held[0]?.stream?.end();
    expect((await bytesOf(request)).toString()).toBe('last');
    await once(client, 'close');
  });
});
