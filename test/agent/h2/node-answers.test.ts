import http2 from 'node:http2';
import { describe, expect, test } from 'vitest';
import { large, pour, said, weAsk } from '#support/h2-node.ts';
import { connectHead, getHead, h2Fields, postHead, StreamLog } from '#support/h2-raw.ts';

describe.each(['tcp', 'tls'] as const)("our client on Node's server over %s", (wire) => {
  test('sends and gets large bodies, many at once', async () => {
    const { session } = await weAsk(wire, (stream, headers) => {
      stream.respond({ ':status': 200, 'x-method': headers[':method'] });
      stream.pipe(stream);
    });
    const logs = Array.from({ length: 4 }, () => {
      const log = new StreamLog();
      log.stream = session.request(postHead, false, log);
      pour(log, large);
      return log;
    });
    for (const log of logs) {
      await said(log, 'end');
      expect(log.bytes.equals(large)).toBe(true);
      expect(log.lines[0]).toMatch(/^headers :status=200 x-method=POST/);
    }
  });

  test('understands trailers, informational heads, HEAD and resets', async () => {
    const { session } = await weAsk(wire, (stream, headers) => {
      stream.on('error', () => undefined); // Node's end of the reset
      if (headers[':method'] === 'HEAD') {
        stream.respond({ ':status': 200, 'content-length': '5' }, { endStream: true });
      } else if (headers[':method'] === 'GET') {
        stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
      } else {
        stream.additionalHeaders({ ':status': 103, link: '<a>' });
        stream.respond({ ':status': 200 }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end('x');
      }
    });
    const ask = (fields: typeof getHead): StreamLog => {
      const log = new StreamLog();
      session.request(fields, true, log);
      return log;
    };
    const head = ask(h2Fields({ ':method': 'HEAD', ':scheme': 'http', ':authority': 'a', ':path': '/' }));
    const post = ask(postHead);
    const get = ask(getHead);
    expect(await said(head, 'headers :status=200')).toMatch(/content-length=5.* end$/);
    expect(await said(post, 'headers grpc-status')).toBe('headers grpc-status=0 end');
    expect(post.lines[0]).toBe('headers :status=103 link=<a>');
    expect(await said(get, 'reset')).toBe('reset INTERNAL_ERROR');
  });
});

describe('between our client and a server of Node', () => {
  test('a stream that Node does not read holds up no other', async () => {
    const { session } = await weAsk('tcp', (stream, headers) => {
      stream.respond({ ':status': 200 });
      if (headers[':path'] === '/slow') return; // reads nothing
      stream.end('quick');
    });
    const slow = new StreamLog();
    const path = (to: string): typeof getHead => [...postHead.slice(0, 3), ...h2Fields({ ':path': to })];
    slow.stream = session.request(path('/slow'), false, slow);
    pour(slow, large);
    const quick = new StreamLog();
    session.request(path('/quick'), true, quick);
    await said(quick, 'end');
    expect(quick.bytes.toString()).toBe('quick');
    expect(slow.stream?.unsentBytes).toBeGreaterThan(0);
  });

  test('GOAWAY of Node lets what runs come to its end', async () => {
    const lines: string[] = [];
    let answer: (() => void) | undefined;
    const closed = new Promise<void>((resolve) => {
      void weAsk(
        'tcp',
        (stream) => {
          answer = (): void => {
            stream.respond({ ':status': 200 });
            stream.end('done');
          };
          stream.session?.close();
        },
        { onGoaway: () => void lines.push('goaway'), onClosed: () => resolve() },
      ).then(async ({ session }) => {
        const log = new StreamLog();
        session.request(getHead, true, log);
        while (lines.length === 0) await new Promise(setImmediate);
        expect(session.takesStreams).toBe(false);
        answer?.();
        await said(log, 'end');
        lines.push(log.bytes.toString());
      });
    });
    await closed;
    expect(lines).toEqual(['goaway', 'done']);
  });

  test('a tunnel carries bytes of any size in both directions', async () => {
    const { session } = await weAsk('tls', (stream) => {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    });
    const log = new StreamLog();
    log.stream = session.request(connectHead, false, log);
    let total = 0;
    for (let size = 1; size < 3_000; size += 7) {
      log.stream?.data(large.subarray(total, total + size));
      total += size;
    }
    log.stream?.end();
    await said(log, 'end');
    expect(log.bytes.equals(large.subarray(0, total))).toBe(true);
  });
});
