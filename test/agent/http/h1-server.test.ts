import { describe, expect, test } from 'vitest';
import { problemAnswer } from '#agent/http/answers.ts';
import { createStage, get, okay } from './h1-stage.ts';

describe('a request', () => {
  test('is written anew, and so is its answer; the next one follows on the same connections', () => {
    const stage = createStage();
    stage.ask('GET http://Prices/a?b HTTP/1.1\r\nhost:  Prices \r\nConnection: x, keep-alive\r\nX: y\r\nZ: 1\r\n\r\n');
    expect(stage.app.take()).toBe('GET /a?b HTTP/1.1\r\nhost: Prices\r\nZ: 1\r\n\r\n');
    stage.answer('HTTP/1.1 200 OK\r\nConnection: keep-alive\r\ncontent-length: 4\r\nB: c\r\n\r\nfine');
    expect(stage.caller.take()).toBe('HTTP/1.1 200 OK\r\nB: c\r\nContent-Length: 4\r\n\r\nfine');
    stage.ask(get('/2'));
    stage.answer(okay('more'));
    expect(stage.caller.take()).toContain('more');
    expect(stage.log).toEqual(['dial']);
    const end = { status: 200, answeredBy: 'app', outcome: 'complete', requestBytes: 0, responseBytes: 4 };
    expect(stage.ends).toMatchObject([
      { ...end, request: { target: '/a?b' }, decisionId: undefined },
      { ...end, request: { target: '/2' } },
    ]);
  });

  test('that repeats the bytes of the one before is judged again, and written and answered the same', () => {
    let admitted = 0;
    const stage = createStage({
      admit(_head, pass) {
        admitted += 1;
        return admitted < 4 ? pass() : { kind: 'answer', answer: problemAnswer(403, 'not any more') };
      },
    });
    const seen = new Set<string>();
    for (let round = 0; round < 3; round += 1) {
      stage.ask(get('/same', 'X-Eastwest-Port: 1\r\n'));
      seen.add(stage.app.take());
      stage.answer(okay('same'));
      seen.add(stage.caller.take());
    }
    expect([...seen]).toEqual([
      'GET /same HTTP/1.1\r\nHost: prices\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsame',
    ]);
    stage.ask(get('/same', 'X-Eastwest-Port: 1\r\n'));
    expect(stage.caller.take()).toMatch(/^HTTP\/1\.1 403 /);
    expect(stage.app.take()).toBe('');
  });

  test('leaves in one write with its body, and so does the answer', () => {
    const stage = createStage();
    stage.ask('POST / HTTP/1.1\r\nHost: prices\r\nContent-Length: 5\r\n\r\nhello');
    expect(stage.app.take()).toBe('POST / HTTP/1.1\r\nHost: prices\r\nContent-Length: 5\r\n\r\nhello');
    stage.answer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n');
    expect(stage.caller.take()).toBe('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n');
    expect(stage.app.pipe.state.ended).toBe(false);
  });

  test('of many pieces is the same request', () => {
    const stage = createStage({ pipes: { pieceBytes: 1 } });
    stage.ask(
      `POST / HTTP/1.1\r\nHost: prices\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nSum: 1\r\n\r\n${get('/2')}`,
    );
    const sent = stage.app.take();
    expect(sent).toMatch(/^POST \/ HTTP\/1\.1\r\nHost: prices\r\nTransfer-Encoding: chunked\r\n\r\n/);
    expect(sent).toMatch(/0\r\nSum: 1\r\n\r\n$/);
    expect(sent.match(/1\r\n[abc]\r\n/g)?.join('')).toBe('1\r\na\r\n1\r\nb\r\n1\r\nc\r\n');
    stage.answer(okay());
    expect(stage.app.take()).toBe(get('/2'));
    stage.answer(okay('2'));
    expect(stage.caller.take()).toBe(okay() + okay('2'));
  });

  test('with trailers of reserved or forbidden names arrives without them; so does an answer (A48, A50)', () => {
    const stage = createStage();
    const trailers = 'Grpc-Status: 0\r\nX-Forwarded-Client-Cert: By=x\r\nHost: b\r\nx_eastwest_port: 1\r\n';
    stage.ask(`POST / HTTP/1.1\r\nHost: prices\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${trailers}\r\n`);
    expect(stage.app.take()).toMatch(/\r\n\r\n0\r\nGrpc-Status: 0\r\n\r\n$/);
    stage.answer(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${trailers}\r\n`);
    expect(stage.caller.take()).toMatch(/\r\n\r\n0\r\nGrpc-Status: 0\r\n\r\n$/);
  });

  test('from HTTP/1.0 without Host gets one; a body without length ends its connection', () => {
    const stage = createStage();
    stage.ask('GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    expect(stage.app.take()).toBe('GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n');
    stage.answer(okay());
    expect(stage.caller.take()).toBe('HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: keep-alive\r\n\r\nfine');
    stage.ask('GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    stage.answer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nSum: 1\r\n\r\n');
    expect(stage.caller.take()).toBe('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc');
    expect(stage.caller.ended).toBe('end');
  });

  test.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n'],
    ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', 'HTTP/1.1 204 No Content\r\n\r\n'],
    [
      'GET',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n',
    ],
  ])('%s answered %j gets no body, and the connection lives on', (method, answer, written) => {
    const stage = createStage();
    stage.ask(`${method} / HTTP/1.1\r\nHost: prices\r\n\r\n`);
    stage.answer(answer);
    expect(stage.caller.take()).toBe(written);
    stage.ask(get('/2'));
    stage.answer(okay());
    expect(stage.caller.take()).toBe(okay());
    expect(stage.log).toEqual(['dial']);
  });

  test('with Connection: close is answered with the same, and then the end', () => {
    const stage = createStage();
    stage.ask(get('/', 'Connection: close\r\n'));
    stage.answer(okay());
    expect(stage.caller.take()).toBe('HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine');
    expect(stage.caller.ended).toBe('end');
    stage.caller.pipe.end();
    stage.deliver();
    expect(stage.log).toEqual(['dial', 'closed']);
  });
});

describe('pipelined requests', () => {
  test('are answered one after another, and wait unread', () => {
    const stage = createStage();
    stage.ask(get('/1') + get('/2') + get('/3'));
    for (const path of ['/1', '/2', '/3']) {
      expect(stage.app.take()).toBe(get(path));
      stage.answer(okay(path));
    }
    expect(stage.caller.take()).toBe(okay('/1') + okay('/2') + okay('/3'));
  });

  test('are bounded: who sends on gets no more room until it is answered (A54)', () => {
    const stage = createStage({ pipes: { pieceBytes: 1_000 } });
    stage.ask(get('/').repeat(1_000));
    expect(stage.caller.pipe.unsentBytes).toBeGreaterThan(get('/').length * 1_000 - 3_000);
    stage.answer(okay());
    expect(stage.caller.take()).toBe(okay());
    expect(stage.caller.pipe.unsentBytes).toBeGreaterThan(get('/').length * 1_000 - 4_000);
  });

  test('whose caller does not read its answers wait as well (A54)', () => {
    const stage = createStage({ pipes: { fullBytes: 1_000 } });
    stage.caller.pipe.pause();
    stage.ask(get('/1') + get('/2'));
    stage.answer(okay('x'.repeat(5_000)));
    stage.app.take();
    expect(stage.app.take()).toBe('');
    stage.caller.pipe.resume();
    stage.deliver();
    expect(stage.app.take()).toBe(get('/2'));
  });

  test('behind a CONNECT or an upgrade are bytes of the new protocol, never requests (A59)', () => {
    const stage = createStage({ admit: () => ({ kind: 'answer', answer: problemAnswer(403, 'no') }) });
    stage.ask(`CONNECT prices:80 HTTP/1.1\r\nHost: prices\r\n\r\n${get('/smuggled')}`);
    expect(stage.caller.take().match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(stage.caller.ended).toBe('end');
  });
});

describe('a caller that stops sending', () => {
  test('before a request: both ends end', () => {
    const stage = createStage();
    stage.caller.pipe.end();
    stage.deliver();
    expect(stage.caller.ended).toBe('end');
    expect(stage.log).toEqual(['closed']);
  });

  test('after its requests still gets all answers', () => {
    const stage = createStage();
    stage.ask(get('/1') + get('/2'));
    stage.caller.pipe.end();
    stage.deliver();
    stage.answer(okay('1'));
    stage.answer(okay('2'));
    expect(stage.caller.take()).toBe(okay('1') + okay('2'));
    expect(stage.caller.ended).toBe('end');
    expect(stage.log).toEqual(['dial', 'closed']);
  });

  test.each([
    ['a head', 'GET / HTTP/1.1\r\n', []],
    ['a body', 'POST / HTTP/1.1\r\nHost: prices\r\nContent-Length: 5\r\n\r\nhe', ['cut']],
    ['a chunk', 'POST / HTTP/1.1\r\nHost: prices\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe', ['cut']],
  ])('in the middle of %s is cut, and the app sees no whole request', (_what, text, ends) => {
    const stage = createStage();
    stage.ask(text);
    stage.caller.pipe.end();
    stage.deliver();
    expect(stage.caller.ended).toBe('cut');
    expect(stage.apps.map(({ ended }) => ended)).toEqual(ends);
    expect(stage.ends.map(({ outcome, status }) => [outcome, status])).toEqual(ends.map(() => ['cut', 0]));
  });

  test('and breaks while it is answered takes the exchange with it', () => {
    const stage = createStage();
    stage.ask(get());
    stage.answer('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfi');
    stage.caller.pipe.breakDown();
    stage.deliver();
    expect(stage.app.ended).toBe('cut');
    expect(stage.ends).toMatchObject([{ status: 200, outcome: 'cut', responseBytes: 2 }]);
    expect(stage.log).toEqual(['dial', 'closed']);
  });
});

describe('an answer that comes early', () => {
  const upload = 'POST / HTTP/1.1\r\nHost: prices\r\nContent-Length: 1000\r\n\r\nfirst';

  test('ends the connection, and the rest of the body is never read as a request', () => {
    const stage = createStage();
    stage.ask(upload);
    stage.answer('HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n');
    expect(stage.caller.take()).toMatch(/^HTTP\/1\.1 413 /);
    expect(stage.caller.ended).toBe('end');
    expect(stage.app.ended).toBe('cut');
    stage.app.take();
    stage.ask(get('/smuggled'));
    expect(stage.app.take()).toBe('');
    expect(stage.ends).toMatchObject([{ status: 413, outcome: 'complete' }]);
  });

  test('may flow while the body still does', () => {
    const stage = createStage();
    stage.ask('POST / HTTP/1.1\r\nHost: prices\r\nContent-Length: 10\r\n\r\nfirst');
    stage.answer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n');
    expect(stage.caller.take()).toMatch(/1\r\na\r\n$/);
    stage.ask('later');
    expect(stage.app.take()).toMatch(/firstlater$/);
    stage.answer('0\r\n\r\n');
    expect(stage.caller.take()).toBe('0\r\n\r\n');
    stage.ask(get('/2'));
    expect(stage.app.take()).toBe(get('/2'));
  });
});

describe('a request that waits for a 100', () => {
  const waiting = 'POST / HTTP/1.1\r\nHost: prices\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n';

  test('gets it from the app', () => {
    const stage = createStage();
    stage.ask(waiting);
    expect(stage.app.take()).toContain('Expect: 100-continue');
    stage.answer('HTTP/1.1 100 Continue\r\n\r\n');
    expect(stage.caller.take()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    stage.ask('hello');
    expect(stage.app.take()).toBe('hello');
    stage.answer(okay());
    expect(stage.caller.take()).toBe(okay());
    expect(stage.caller.ended).toBe('no');
  });

  test('and is refused by us gets no 100, and its body is not read (A60)', () => {
    const stage = createStage({ admit: () => ({ kind: 'answer', answer: problemAnswer(403, 'no', 'd-9') }) });
    stage.ask(waiting);
    expect(stage.caller.take()).toMatch(
      /^HTTP\/1\.1 403 Forbidden\r\nX-Eastwest-Decision: d-9\r\n[^]*Connection: close/,
    );
    expect(stage.caller.ended).toBe('end');
    expect(stage.apps).toEqual([]);
  });

  test('and is refused by the app ends with that answer', () => {
    const stage = createStage();
    stage.ask(waiting);
    stage.answer('HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n');
    expect(stage.caller.take()).toMatch(/^HTTP\/1\.1 417 /);
    expect(stage.caller.ended).toBe('end');
  });
});
