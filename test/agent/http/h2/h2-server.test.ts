import { grpcDetails } from '#agent/http/h2/grpc-details.ts';
import { describe, expect, test } from 'vitest';
import { createStage } from './fake-exchange.ts';
import { FakeStream } from './fake-stream.ts';
import { fieldsOf } from './fields-of.ts';
import { bytes, call, get, post, serve } from './server-stage.ts';

describe('a request on a stream', () => {
  test('is admitted by its head, forwarded with its body and trailers, and answered', () => {
    const { open, upstream, ends } = serve();
    const stream = open(post, 'later');
    stream.handler.onData(bytes('one'));
    stream.handler.onData(bytes('two'));
    stream.handler.onHeaders(fieldsOf('x-sum: 6|x-secret-a: 1|content-length: 9|host: b'), true);
    expect(upstream.told).toEqual(['start POST /orders', 'data one', 'data two', 'end x-sum: 6']);
    upstream.answer(':status: 200|server: app|content-length: 2');
    upstream.response.data(bytes('ok'));
    upstream.response.end([]);
    expect(stream.said).toEqual(['HEAD :status: 200|server: app|content-length: 2', 'DATA ok', 'END']);
    expect(ends).toMatchObject([
      { status: 200, answeredBy: 'app', outcome: 'complete', requestBytes: 6, responseBytes: 2, grpcStatus: undefined },
    ]);
  });

  test('without content is forwarded as a whole', () => {
    const { open, upstream } = serve();
    open(get);
    expect(upstream.told).toEqual(['start GET /prices', 'end']);
  });

  test('a GET whose end comes later is forwarded when it has come, and refused when content comes', () => {
    const { open, upstream, notes, ends } = serve();
    const late = open(get, 'later');
    expect(upstream.told).toEqual([]);
    late.handler.onEnd();
    expect(upstream.told).toEqual(['start GET /prices', 'end']);
    const withContent = open(get, 'later');
    withContent.handler.onData(bytes('x'));
    expect(withContent.said[0]).toMatch('HEAD :status: 400');
    expect(notes).toEqual(['failed unexpected-body']);
    expect(ends).toMatchObject([{ status: 400, answeredBy: 'us', outcome: 'complete' }]);
  });

  test('a GET whose end comes later is judged by its head, and counts from there', () => {
    const stage = createStage();
    const judged: string[] = [];
    const { admit } = stage;
    stage.admit = (head) => {
      judged.push(head.method);
      return admit(head);
    };
    const { open, ends } = serve(stage);
    const held = open(get, 'later');
    expect(judged).toEqual(['GET']);
    held.handler.onReset(8);
    expect(ends).toMatchObject([{ status: 0, outcome: 'cut' }]);
  });

  test('content that comes while a GET is judged refuses it', async () => {
    const stage = createStage();
    const { admit } = stage;
    stage.admit = (head) => Promise.resolve(head).then(admit);
    const { open, upstream } = serve(stage);
    const stream = open(get, 'later');
    stream.handler.onData(bytes('x'));
    stream.handler.onEnd();
    await Promise.resolve().then(() => undefined);
    await Promise.resolve();
    expect(upstream.told).toEqual([]);
    expect(stream.said.find((said) => said.startsWith('HEAD'))).toMatch('HEAD :status: 400');
  });

  test('the answer with trailers, to HEAD, with 204 and without content end where they end', () => {
    const { open, upstream } = serve();
    const withTrailers = open(get);
    upstream.answer(':status: 200');
    upstream.response.data(bytes('x'));
    upstream.response.end(fieldsOf('x-sum: 1'));
    expect(withTrailers.said).toEqual(['HEAD :status: 200', 'DATA x', 'HEAD x-sum: 1 END']);
    const head = open(get.replace('GET', 'HEAD'));
    upstream.answer(':status: 200|content-length: 5', 'with-head', 'HEAD');
    upstream.response.end([]);
    expect(head.said).toEqual(['HEAD :status: 200|content-length: 5 END']);
    const empty = open(post);
    upstream.answer(':status: 204', 'with-head');
    upstream.response.end([]);
    expect(empty.said).toEqual(['HEAD :status: 204 END']);
    const onlyTrailers = open(call);
    upstream.answer(':status: 200|content-type: application/grpc|grpc-status: 5', 'with-head');
    upstream.response.end([]);
    expect(onlyTrailers.said).toEqual(['HEAD :status: 200|content-type: application/grpc|grpc-status: 5 END']);
  });

  test('informational answers come through (A79)', () => {
    const { open, upstream } = serve();
    const stream = open(get);
    const early = { status: 103, reason: '', version: '1.1', headers: [], framing: { kind: 'none' } } as const;
    upstream.response.informational(
      { ...early, keepAlive: true, upgrade: undefined, keepAliveTimeoutSeconds: undefined },
      fieldsOf('link: </a.css>'),
    );
    expect(stream.said).toEqual(['HEAD :status: 103|link: </a.css>']);
  });

  test('what arrives while the admission is awaited is kept, in order', async () => {
    const stage = createStage();
    const admit = stage.admit;
    stage.admit = (head) => Promise.resolve(head).then(admit);
    const { open, upstream } = serve(stage);
    const stream = open(post, 'later');
    stream.handler.onData(bytes('one'));
    stream.handler.onData(bytes('two'));
    stream.handler.onHeaders(fieldsOf('x-sum: 6|x-secret-a: 1'), true);
    await Promise.resolve().then(() => undefined);
    await Promise.resolve();
    expect(upstream.told).toEqual(['start POST /orders', 'data one', 'data two', 'end x-sum: 6']);
    expect(stream.said).toEqual(['PAUSE', 'RESUME']);
  });

  test('a caller that leaves while it is judged is told of, once', async () => {
    const stage = createStage();
    const admit = stage.admit;
    stage.admit = (head) => Promise.resolve(head).then(admit);
    const { open, upstream, ends } = serve(stage);
    open(post, 'later').handler.onReset(8);
    await Promise.resolve().then(() => undefined);
    await Promise.resolve();
    expect(upstream.told).toEqual([]);
    expect(ends).toMatchObject([{ status: 0, outcome: 'cut' }]);
  });
});

describe('a slow side slows the other', () => {
  test('an app that takes no more pauses the caller’s stream', () => {
    const { open, upstream } = serve();
    const stream = open(post, 'later');
    upstream.isFull = true;
    stream.handler.onData(bytes('x'));
    expect(stream.said).toEqual(['PAUSE']);
    upstream.response.onRequestDrain();
    expect(stream.said).toEqual(['PAUSE', 'RESUME']);
  });

  test('a caller that takes no more pauses the app, once', () => {
    const { open, upstream } = serve();
    const stream = open(get);
    stream.isFull = true;
    upstream.answer(':status: 200');
    upstream.response.data(bytes('a'));
    upstream.response.data(bytes('b'));
    expect(upstream.told.slice(2)).toEqual(['pause']);
    stream.drain();
    expect(upstream.told.slice(2)).toEqual(['pause', 'resume']);
  });

  test('an answer that begins before `start` has returned is paused all the same', () => {
    const { open, upstream } = serve();
    upstream.atOnce = () => {
      upstream.answer(':status: 200');
      upstream.response.data(bytes('a'));
    };
    const stream = new FakeStream();
    stream.isFull = true;
    open(get, undefined, stream);
    expect(stream.said).toEqual(['HEAD :status: 200', 'DATA a']);
    expect(upstream.told).toEqual(['start GET /prices', 'pause', 'end']);
  });

  test('an answer that waits for window when it has ended counts once it is gone', async () => {
    const { open, upstream, ends, clock } = serve();
    const stream = open(get);
    stream.isFull = true;
    upstream.answer(':status: 200');
    upstream.response.data(bytes('a'));
    upstream.response.end([]);
    await clock.advance(1_500);
    expect(ends).toEqual([]);
    stream.unsentBytes = 0;
    stream.handler.onDrain();
    expect(ends).toMatchObject([{ outcome: 'complete', responseBytes: 1 }]);
  });

  test('one whose session ends before it is gone counts as cut', () => {
    const { open, upstream, ends } = serve();
    const stream = open(get);
    stream.isFull = true;
    upstream.answer(':status: 200');
    upstream.response.data(bytes('a'));
    upstream.response.end([]);
    stream.handler.onReset(0);
    expect(ends).toMatchObject([{ outcome: 'cut', responseBytes: 1 }]);
  });
});

describe('an answer of ours', () => {
  test.each([
    [
      'to GET',
      get,
      [
        'HEAD :status: 403|x-eastwest-decision: d-7|content-type: application/problem+json|content-length: 46|cache-control: no-store',
        'DATA {"title":"No","status":403,"decisionId":"d-7"}',
        'END',
      ],
    ],
    [
      'to HEAD',
      get.replace('GET', 'HEAD'),
      [
        'HEAD :status: 403|x-eastwest-decision: d-7|content-type: application/problem+json|content-length: 46|cache-control: no-store END',
      ],
    ],
    [
      'to a gRPC call',
      call,
      [
        `HEAD :status: 200|content-type: application/grpc|grpc-status: 7|grpc-message: No|x-eastwest-decision: d-7|grpc-status-details-bin: ${grpcDetails({ code: 7, message: 'No', decisionId: 'd-7' })} END`,
      ],
    ],
  ])('%s names the decision', (_what, text, said) => {
    const stage = createStage();
    stage.admit = () => ({ kind: 'answer', answer: { status: 403, title: 'No', decisionId: 'd-7' } });
    const { open } = serve(stage);
    expect(open(text).said).toEqual(said);
  });

  test('comes before a byte of the body is read, and the rest is not wanted (A60)', () => {
    const stage = createStage();
    stage.admit = () => ({ kind: 'answer', answer: { status: 403, title: 'No' } });
    const { open, upstream } = serve(stage);
    const stream = open(`${post}|expect: 100-continue|content-length: 1000000000`, 'later');
    stream.handler.onData(bytes('x'));
    stream.handler.onEnd();
    expect(stream.said.at(-1)).toBe('RESET 0');
    expect(upstream.told).toEqual([]);
  });

  test.each([
    ['a timeout nobody can read', `${call}|grpc-timeout: 5s`, 'grpc-status: 3'],
    ['a status, which only answers have', `${call}|grpc-status: 0`, 'grpc-status: 3'],
    ['a host that is none', call.replace('shop.test', 'a@b'), 'grpc-status: 3'],
  ])('says in gRPC that a call with %s is refused (A61)', (_what, text, status) => {
    const { open, upstream } = serve();
    expect(open(text).said[0]).toMatch(status);
    expect(upstream.told).toEqual([]);
  });

  test.each([
    [':path: /a b', get.replace('/prices', '/a b')],
    ['transfer-encoding', `${post}|transfer-encoding: chunked`],
    ['two paths', `${get}|:path: /b`.replace(':method', ':path: /a|:method')],
  ])('is none where the message is malformed: %s (A52)', (_what, text) => {
    const { open, upstream } = serve();
    expect(open(text).said).toEqual(['RESET 1']);
    expect(upstream.told).toEqual([]);
  });
});
