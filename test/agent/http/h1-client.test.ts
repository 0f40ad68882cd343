import { describe, expect, test } from 'vitest';
import { createStage, get, okay } from './h1-stage.ts';

describe('what an app answers before its answer', () => {
  test('arrives: 100, 102 and 103, in order, and the answer after them (A79)', () => {
    const stage = createStage();
    stage.ask(get());
    stage.answer('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n');
    expect(stage.caller.take()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    stage.answer('\r\n');
    expect(stage.caller.take()).toBe('HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n');
    stage.answer(`HTTP/1.1 102 Processing\r\n\r\n${okay()}`);
    expect(stage.caller.take()).toBe(`HTTP/1.1 102 Processing\r\n\r\n${okay()}`);
  });

  test('is kept from an HTTP/1.0 caller', () => {
    const stage = createStage();
    stage.ask('GET / HTTP/1.0\r\n\r\n');
    stage.answer(`HTTP/1.1 103 Early Hints\r\n\r\n${okay()}`);
    expect(stage.caller.take()).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test('may not go on for ever: 502 (A62)', () => {
    const stage = createStage();
    stage.ask(get());
    stage.answer('HTTP/1.1 100 Continue\r\n\r\n'.repeat(11));
    expect(stage.caller.take()).toMatch(/^(HTTP\/1\.1 100 Continue\r\n\r\n){10}HTTP\/1\.1 502 /);
    expect(stage.log).toEqual(['dial', 'bad-response too-many-interim']);
    expect(stage.app.ended).toBe('cut');
  });
});

describe('an answer that breaks the rules', () => {
  test.each([
    ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na', 'several-content-lengths'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\na', 'bad-content-length'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na', 'length-and-transfer-encoding'],
    ['HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n', 'unexpected-body'],
    ['HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n', 'unexpected-body'],
    ['HTTP/1.1 1000 OK\r\n\r\n', 'bad-status-line'],
    ['HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n', 'bare-line-feed'],
    ['SSH-2.0-OpenSSH\r\n', 'bad-status-line'],
    ['HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n', 'unexpected-upgrade'],
    ['HTTP/1.1 101 Switching Protocols\r\n\r\n', 'unexpected-upgrade'],
    ['HTTP/1.1 200 OK\r\nConnection: set-cookie\r\n\r\n', 'protected-header-in-connection'],
    [`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(2_000)}`, 'head-too-large'],
  ])('%j is 502 and its connection is cut (A59, A62, A79)', (answer, reason) => {
    const stage = createStage();
    stage.ask(get());
    stage.answer(answer);
    expect(stage.caller.take()).toMatch(/^HTTP\/1\.1 502 /);
    expect(stage.caller.ended).toBe('end');
    expect(stage.log.slice(0, 2)).toEqual(['dial', `bad-response ${reason}`]);
    expect(stage.app.ended).toBe('cut');
    expect(stage.ends).toMatchObject([{ status: 502, answeredBy: 'us' }]);
  });

  test('in its body cuts the caller: it must not look whole (A50)', () => {
    const stage = createStage();
    stage.ask(get());
    stage.answer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naX');
    expect(stage.caller.take()).not.toContain('0\r\n\r\n');
    expect(stage.caller.ended).toBe('cut');
    expect(stage.log.slice(0, 2)).toEqual(['dial', 'bad-response bad-chunk-end']);
    expect(stage.ends).toMatchObject([{ status: 200, answeredBy: 'app', outcome: 'cut' }]);
  });
});

describe('an answer until close', () => {
  const start = 'HTTP/1.1 200 OK\r\n\r\nall of';

  test('is whole when its pipe ends in order, and is chunked to the caller', () => {
    const stage = createStage();
    stage.ask(get());
    stage.answer(start);
    stage.app.pipe.write(Buffer.from(' it'));
    stage.app.pipe.end();
    stage.deliver();
    expect(stage.caller.take()).toBe(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nall of\r\n3\r\n it\r\n0\r\n\r\n',
    );
    stage.ask(get('/2'));
    expect(stage.apps).toHaveLength(2);
    stage.answer(okay());
    expect(stage.caller.take()).toBe(okay());
  });

  test('is broken when its pipe is cut, and the caller is cut as well (A76)', () => {
    const stage = createStage();
    stage.ask(get());
    stage.answer(start);
    stage.app.pipe.breakDown();
    stage.deliver();
    expect(stage.caller.take()).not.toContain('0\r\n\r\n');
    expect(stage.caller.ended).toBe('cut');
    expect(stage.log.slice(0, 2)).toEqual(['dial', 'upstream-broken']);
    expect(stage.ends).toMatchObject([{ status: 200, outcome: 'cut' }]);
  });

  test('to an HTTP/1.0 caller ends or is cut like its pipe (A76)', () => {
    for (const how of ['end', 'cut'] as const) {
      const stage = createStage();
      stage.ask('GET / HTTP/1.0\r\n\r\n');
      stage.answer(start);
      if (how === 'end') stage.app.pipe.end();
      else stage.app.pipe.breakDown();
      stage.deliver();
      expect(stage.caller.take()).toBe('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of');
      expect(stage.caller.ended).toBe(how);
    }
  });
});

describe('an app that goes away', () => {
  test.each(['end', 'breakDown'] as const)('by %s before it answers is 502', (how) => {
    const stage = createStage();
    stage.ask(get());
    stage.app.pipe[how]();
    stage.deliver();
    expect(stage.caller.take()).toMatch(/^HTTP\/1\.1 502 /);
    expect(stage.log.slice(0, 2)).toEqual(['dial', 'upstream-closed']);
  });

  test.each(['HTTP/1.1 2', 'HTTP/1.1 100 Continue\r\n\r\n'])('after %j is not asked again', (heard) => {
    const stage = createStage();
    stage.ask(get());
    stage.answer(okay());
    stage.ask(get());
    stage.answer(heard);
    stage.app.pipe.breakDown();
    stage.deliver();
    expect(stage.caller.take()).toMatch(/HTTP\/1\.1 502 /);
    expect(stage.log.slice(0, 2)).toEqual(['dial', 'upstream-broken']);
  });

  test('in the middle of a body of known length cuts the caller', () => {
    const stage = createStage();
    stage.ask(get());
    stage.answer('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfi');
    stage.app.pipe.end();
    stage.deliver();
    expect(stage.caller.ended).toBe('cut');
  });
});

describe('bytes out of turn', () => {
  test('after an answer end its connection; nobody ever gets them (A79)', () => {
    const stage = createStage();
    stage.ask(get());
    stage.answer(okay() + okay('poison'));
    expect(stage.caller.take()).toBe(okay());
    expect(stage.app.ended).toBe('cut');
    stage.ask(get('/2'));
    expect(stage.apps).toHaveLength(2);
    stage.answer(okay('2'));
    expect(stage.caller.take()).toBe(okay('2'));
  });

  test('between answers end it as well', () => {
    const stage = createStage();
    stage.ask(get());
    stage.answer(okay());
    stage.answer(okay('poison'));
    expect(stage.app.ended).toBe('cut');
    expect(stage.caller.take()).toBe(okay());
    stage.ask(get('/2'));
    expect(stage.apps).toHaveLength(2);
  });
});

describe('an upgrade', () => {
  const asked = get('/chat', 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n');
  const granted =
    'HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

  test('to WebSocket joins both ends, opaquely and for good (A59)', async () => {
    const stage = createStage();
    stage.ask(asked);
    expect(stage.app.take()).toBe(
      get('/chat', 'Sec-WebSocket-Key: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'),
    );
    stage.answer(`${granted}early`);
    expect(stage.caller.take()).toBe(`${granted}early`);
    stage.ask(get('/not-a-request', 'X-Eastwest-Port: 7\r\n'));
    expect(stage.app.take()).toBe(get('/not-a-request', 'X-Eastwest-Port: 7\r\n'));
    stage.answer('\x81\x00HTTP/1.1 200 OK\r\n\r\n');
    expect(stage.caller.take()).toBe('\x81\x00HTTP/1.1 200 OK\r\n\r\n');
    await stage.wait(200_000);
    expect(stage.log).toEqual(['dial', 'upgraded']);
    stage.caller.pipe.end();
    stage.deliver();
    expect(stage.app.ended).toBe('end');
    stage.app.pipe.end();
    stage.deliver();
    expect(stage.caller.ended).toBe('end');
    expect(stage.log).toEqual(['dial', 'upgraded', 'upgrade ended', 'closed']);
    expect(stage.ends).toEqual([]);
  });

  test('gives the app what the caller sent too early, and not as a request', () => {
    const stage = createStage();
    stage.ask(`${asked}frames`);
    stage.app.take();
    stage.answer(granted);
    expect(stage.app.take()).toBe('frames');
  });

  test('that the app refuses is an answer like any other, and a request may follow', () => {
    const stage = createStage();
    stage.ask(asked + get('/2'));
    stage.answer('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    stage.app.take();
    stage.answer(okay());
    expect(stage.caller.take()).toBe(`HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n${okay()}`);
  });

  test.each(['h2c', 'websocket, h2c', 'TLS/1.0'])('to %s is not passed on (A59)', (protocol) => {
    const stage = createStage();
    stage.ask(get('/', `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: ${protocol}\r\nHTTP2-Settings: AAMAAABk\r\n`));
    expect(stage.app.take()).toBe(get('/'));
  });

  test('with a cut side cuts the other', () => {
    const stage = createStage();
    stage.ask(asked);
    stage.answer(granted);
    stage.app.pipe.breakDown();
    stage.deliver();
    expect(stage.caller.ended).toBe('cut');
    expect(stage.log).toEqual(['dial', 'upgraded', 'upgrade cut', 'closed']);
  });

  test('can be cut by us', () => {
    const stage = createStage();
    stage.ask(asked);
    stage.answer(granted);
    stage.connection.drain(); // it lives on
    stage.deliver();
    expect(stage.caller.ended).toBe('no');
    stage.connection.destroy();
    stage.deliver();
    expect([stage.caller.ended, stage.app.ended]).toEqual(['cut', 'cut']);
  });

  test('for a caller that has stopped sending comes too late', () => {
    const stage = createStage();
    stage.ask(asked);
    stage.caller.pipe.end();
    stage.deliver();
    stage.answer(granted);
    expect([stage.caller.ended, stage.app.ended]).toEqual(['cut', 'cut']);
    expect(stage.ends).toMatchObject([{ outcome: 'cut' }]);
  });
});

describe('a slow app', () => {
  test('holds the caller back, and takes all in the end', () => {
    const stage = createStage({ pipes: { fullBytes: 1_000, pieceBytes: 500 } });
    const body = 'x'.repeat(20_000);
    stage.ask(`POST / HTTP/1.1\r\nHost: prices\r\nContent-Length: ${body.length}\r\n\r\n`);
    stage.app.pipe.pause();
    stage.ask(body);
    expect(stage.caller.pipe.unsentBytes).toBeGreaterThan(15_000);
    stage.app.pipe.resume();
    stage.deliver();
    expect(stage.app.take().endsWith(body)).toBe(true);
    stage.answer(okay());
    expect(stage.caller.take()).toBe(okay());
  });

  test('that never takes the body is 504', async () => {
    const stage = createStage({ pipes: { fullBytes: 1_000, pieceBytes: 500 } });
    stage.ask('POST / HTTP/1.1\r\nHost: prices\r\nContent-Length: 20000\r\n\r\n');
    stage.app.pipe.pause();
    stage.ask('x'.repeat(20_000));
    await stage.wait(31_000);
    expect(stage.caller.take()).toMatch(/^HTTP\/1\.1 504 /);
  });
});

test('an answer that names a decision comes from the other agent', () => {
  const stage = createStage();
  stage.ask(get());
  stage.answer(okay('no', 'X-Eastwest-Decision: d-7\r\n'));
  expect(stage.ends).toMatchObject([{ answeredBy: 'agent' }]);
});
