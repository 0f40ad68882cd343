import { describe, expect, test } from 'vitest';
import type { Forwarded, ResponseSink } from '#agent/http/message.ts';
import { readRequestHead } from '#agent/http/head.ts';
import { createStage, get, limits, okay } from './h1-stage.ts';

describe('a kept connection', () => {
  test('is used again, and made anew when the app has ended it', () => {
    const stage = createStage();
    stage.ask(get('/1'));
    stage.answer(okay());
    stage.app.pipe.end();
    stage.deliver();
    expect(stage.app.ended).toBe('end'); // we end our side as well
    stage.ask(get('/2'));
    expect(stage.apps).toHaveLength(2);
    stage.answer(okay('2'));
    expect(stage.caller.take()).toBe(okay() + okay('2'));
  });

  test.each([
    ['Connection: close', '', 0],
    ['nothing', '', 4_000],
    ['Keep-Alive: timeout=9', 'Keep-Alive: timeout=9, max=5\r\n', 8_000],
  ])('whose app said %s is ended by us in time', async (said, more, idleMs) => {
    const stage = createStage();
    stage.ask(get('/1'));
    stage.answer(okay('fine', said === 'Connection: close' ? 'Connection: close\r\n' : more));
    if (idleMs > 0) {
      await stage.wait(idleMs - 1_000);
      expect(stage.app.ended).toBe('no');
      await stage.wait(1_500);
    }
    expect(stage.app.ended).toBe('end');
    stage.ask(get('/2'));
    expect(stage.apps).toHaveLength(2);
  });

  test('that the app does not end after us is cut', async () => {
    const stage = createStage();
    stage.ask(get('/1'));
    stage.answer(okay('fine', 'Connection: close\r\n'));
    const [first] = stage.apps;
    expect(first!.pipe.state.cut).toBe(false);
    await stage.wait(6_000);
    expect(first!.pipe.state.cut).toBe(true);
  });

  test('that closes before a byte of an answer: a GET is repeated once, on a fresh one', () => {
    const stage = createStage();
    stage.ask(get('/1'));
    stage.answer(okay());
    stage.caller.take();
    stage.ask(get('/2'));
    expect(stage.app.take()).toBe(get('/1') + get('/2'));
    stage.app.pipe.breakDown();
    stage.deliver();
    expect(stage.apps).toHaveLength(2);
    expect(stage.app.take()).toBe(get('/2'));
    stage.answer(okay('2'));
    expect(stage.caller.take()).toBe(okay('2'));
    expect(stage.log).toEqual(['dial', 'dial']);
  });

  test('and when the fresh one closes too, that is 502', () => {
    const stage = createStage();
    stage.ask(get('/1'));
    stage.answer(okay());
    stage.ask(get('/2'));
    for (let round = 0; round < 2; round += 1) {
      stage.app.pipe.breakDown();
      stage.deliver();
    }
    expect(stage.caller.take()).toMatch(/HTTP\/1\.1 502 /);
    expect(stage.apps).toHaveLength(2);
  });

  test('and when there is no fresh one, that is 503', () => {
    const stage = createStage();
    stage.ask(get('/1'));
    stage.answer(okay());
    stage.ask(get('/2'));
    stage.appIsDown();
    stage.app.pipe.breakDown();
    stage.deliver();
    expect(stage.caller.take()).toMatch(/HTTP\/1\.1 503 /);
  });

  test.each(['POST / HTTP/1.1\r\nHost: a\r\n\r\n', 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx'])(
    'that closes: %j is never sent twice',
    (request) => {
      const stage = createStage();
      stage.ask(get('/1'));
      stage.answer(okay());
      stage.ask(request);
      stage.app.pipe.breakDown();
      stage.deliver();
      expect(stage.caller.take()).toMatch(/HTTP\/1\.1 502 /);
      expect(stage.apps).toHaveLength(1);
    },
  );
});

describe('while the connection is made', () => {
  test('a body waits, unread but for what came with its head', () => {
    const stage = createStage({ pipes: { pieceBytes: 100 } });
    stage.holdDials();
    stage.ask(`POST / HTTP/1.1\r\nHost: prices\r\nContent-Length: 5000\r\n\r\n${'x'.repeat(5_000)}`);
    expect(stage.caller.pipe.unsentBytes).toBeGreaterThan(4_500);
    stage.connected();
    expect(stage.caller.pipe.unsentBytes).toBe(0);
    expect(stage.app.take()).toMatch(/\r\n\r\nx{5000}$/);
    stage.answer(okay());
    expect(stage.caller.take()).toBe(okay());
  });

  test('a whole small message waits', () => {
    const stage = createStage();
    stage.holdDials();
    stage.ask('POST / HTTP/1.1\r\nHost: prices\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nSum: 1\r\n\r\n');
    stage.connected();
    expect(stage.app.take()).toMatch(/2\r\nhi\r\n0\r\nSum: 1\r\n\r\n$/);
  });

  test('an app that cannot be reached is what the report says', () => {
    const stage = createStage();
    stage.appIsDown();
    stage.ask(get());
    expect(stage.caller.take()).toMatch(/^HTTP\/1\.1 503 [^]*unreachable no-app/);
    expect(stage.ends).toMatchObject([{ status: 503, answeredBy: 'us', outcome: 'complete' }]);
  });

  test('a caller that leaves stops the attempt', () => {
    const stage = createStage();
    stage.holdDials();
    stage.ask(get());
    stage.caller.pipe.breakDown();
    stage.deliver();
    expect(stage.log).toEqual(['dial', 'closed', 'dial stopped']);
    expect(stage.upstream.inFlight).toBe(0);
  });

  test('a caller that waits too long hears 504', async () => {
    const stage = createStage();
    stage.holdDials();
    stage.ask(get());
    await stage.wait(31_000);
    expect(stage.caller.take()).toMatch(/^HTTP\/1\.1 504 /);
    expect(stage.upstream.inFlight).toBe(0);
  });
});

/** Asks without a caller's connection, as an HTTP/2 caller's streams do. */
function ask(stage: ReturnType<typeof createStage>, path: string) {
  const said: string[] = [];
  const response: ResponseSink<'no-app'> = {
    informational: (head) => void said.push(`${head.status}`),
    head: (head) => void said.push(`${head.status}`),
    data: (bytes) => void said.push(bytes.toString('latin1')),
    end: () => void said.push('end'),
    upgraded: () => void said.push('upgraded'),
    failed: (problem) => void said.push(JSON.stringify(problem)),
    onRequestDrain: () => void said.push('drain'),
  };
  const reading = readRequestHead(Buffer.from(get(path)), limits.head);
  if (reading.kind !== 'complete') throw new Error('not a head');
  const { head } = reading;
  const request: Forwarded = { head, target: path, headers: head.headers, filterFields: (fields) => fields };
  const sink = stage.upstream.start(request, response);
  stage.deliver();
  return { said, sink };
}

describe('several requests at once', () => {
  test('take as many connections as they may, and then wait for one', () => {
    const stage = createStage({ upstream: { maxConnections: 2 } });
    const asked = ['/1', '/2', '/3'].map((path) => ask(stage, path));
    expect(stage.apps).toHaveLength(2);
    expect(stage.upstream.inFlight).toBe(3);
    stage.answer(okay('2'));
    expect(asked.map(({ said }) => said)).toEqual([[], ['200', '2', 'end'], []]);
    expect(stage.app.take()).toBe(get('/2') + get('/3'));
    stage.answer(okay('3'));
    expect(asked[2]!.said).toEqual(['200', '3', 'end']);
    expect(stage.upstream.inFlight).toBe(1);
  });

  test('one that gives up waiting is forgotten', () => {
    const stage = createStage();
    const asked = ['/1', '/2', '/3'].map((path) => ask(stage, path));
    asked[1]!.sink.abort();
    stage.answer(okay('1'));
    expect(stage.app.take()).toBe(get('/1') + get('/3'));
    expect(asked[1]!.said).toEqual([]);
  });

  test('one that is aborted takes its connection with it, and the next gets a fresh one', () => {
    const stage = createStage();
    const asked = ['/1', '/2'].map((path) => ask(stage, path));
    asked[0]!.sink.abort();
    stage.deliver();
    expect(stage.apps.map(({ ended }) => ended)).toEqual(['cut', 'no']);
    expect(stage.app.take()).toBe(get('/2'));
    stage.answer(okay('2'));
    expect(asked.map(({ said }) => said)).toEqual([[], ['200', '2', 'end']]);
  });

  test('all hear when the app cannot be reached', () => {
    const stage = createStage({ upstream: { maxConnections: 2 } });
    stage.appIsDown();
    const asked = ['/1', '/2', '/3'].map((path) => ask(stage, path));
    for (const { said } of asked) expect(said).toEqual(['{"unreachable":"no-app"}']);
  });

  test('all repeat when all their kept connections turn out to be dead', () => {
    const stage = createStage({ upstream: { maxConnections: 3 } });
    for (const path of ['/1', '/2', '/3']) ask(stage, path);
    for (const app of stage.apps) app.pipe.write(Buffer.from(okay()));
    stage.deliver();
    const again = ['/4', '/5'].map((path) => ask(stage, path));
    for (const app of stage.apps.slice(0, 3)) app.pipe.breakDown();
    stage.deliver();
    for (const app of stage.apps.slice(3)) app.pipe.write(Buffer.from(okay()));
    stage.deliver();
    for (const { said } of again) expect(said).toEqual(['200', 'fine', 'end']);
  });
});

describe('a queue for connections that are all taken', () => {
  const queue = { maxRequests: 2, maxMs: 2_000, problem: 'no-app' } as const;

  test('holds so many requests and no more', () => {
    const stage = createStage({ upstream: { queue } });
    const asked = ['/1', '/2', '/3', '/4'].map((path) => ask(stage, path));
    expect(asked.map(({ said }) => said)).toEqual([[], [], [], ['{"unreachable":"no-app"}']]);
    stage.answer(okay('1'));
    stage.answer(okay('2'));
    stage.answer(okay('3'));
    expect(asked[2]!.said).toEqual(['200', '3', 'end']);
  });

  test('holds them for so long and no longer, body and all, while those in flight go on', async () => {
    const stage = createStage({ upstream: { queue } });
    const [first, second] = ['/1', '/2'].map((path) => ask(stage, path));
    expect(second!.sink.data(Buffer.from('early'))).toBe(false);
    await stage.wait(1_000);
    const third = ask(stage, '/3');
    await stage.wait(1_500);
    expect(second!.said).toEqual(['{"unreachable":"no-app"}']);
    expect(stage.upstream.inFlight).toBe(2);
    stage.answer(okay('1'));
    stage.answer(okay('3'));
    expect([first!.said, third.said]).toEqual([
      ['200', '1', 'end'],
      ['200', '3', 'end'],
    ]);
  });
});

describe('a retired upstream', () => {
  test('ends its idle connections, and busy ones after their answers', () => {
    const stage = createStage({ upstream: { maxConnections: 2 } });
    ask(stage, '/1');
    const second = ask(stage, '/2');
    stage.apps[0]!.pipe.write(Buffer.from(okay()));
    stage.deliver();
    stage.upstream.retire();
    stage.deliver();
    expect(stage.apps.map(({ ended }) => ended)).toEqual(['end', 'no']);
    stage.answer(okay());
    expect(second.said).toEqual(['200', 'fine', 'end']);
    expect(stage.apps.map(({ ended }) => ended)).toEqual(['end', 'end']);
    const third = ask(stage, '/3');
    stage.answer(okay());
    expect(third.said).toEqual(['200', 'fine', 'end']);
    expect(stage.app.ended).toBe('end');
  });

  test('that is closed answers nothing more', () => {
    const stage = createStage();
    const first = ask(stage, '/1');
    stage.upstream.close();
    stage.deliver();
    expect(stage.app.ended).toBe('cut');
    expect(first.said).toEqual([]);
    expect(ask(stage, '/2').said).toEqual(['"upstream-closed"']);
  });
});
