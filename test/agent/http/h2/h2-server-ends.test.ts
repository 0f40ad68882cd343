import { grpcDetails } from '#agent/http/h2/grpc-details.ts';
import { describe, expect, test } from 'vitest';
import type { Forward } from '#agent/http/last-admission.ts';
import { createStage } from './fake-exchange.ts';
import { fieldsOf } from './fields-of.ts';
import { bytes, call, get, post, serve } from './server-stage.ts';

describe('an exchange that breaks', () => {
  test.each(['start', 'head', 'data'] as const)('ends at the app when the caller resets after %s', (moment) => {
    const { open, upstream, ends } = serve();
    const stream = open(get);
    if (moment !== 'start') upstream.answer(':status: 200');
    if (moment === 'data') upstream.response.data(bytes('x'));
    stream.handler.onReset(8);
    expect(upstream.told.at(-1)).toBe('abort');
    expect(ends).toMatchObject([{ outcome: 'cut', status: moment === 'start' ? 0 : 200 }]);
  });

  test('is answered when nothing was answered yet, and reset when something was', () => {
    const { open, upstream, ends } = serve();
    const unanswered = open(get);
    upstream.response.failed('upstream-closed');
    expect(unanswered.said[0]).toMatch('HEAD :status: 502');
    const unreachable = open(call);
    upstream.response.failed({ unreachable: 'no-session' });
    expect(unreachable.said[0]).toMatch('grpc-status: 14');
    const begun = open(get);
    upstream.answer(':status: 200');
    upstream.response.data(bytes('x'));
    upstream.response.failed('upstream-broken');
    expect(begun.said.at(-1)).toBe('RESET 2');
    expect(ends.map((end) => `${end.status} ${end.answeredBy} ${end.outcome}`)).toEqual([
      '502 us complete',
      '503 us complete',
      '200 app cut',
    ]);
  });

  test('is answered when it breaks before `start` has returned', () => {
    const { open, upstream } = serve();
    upstream.atOnce = (response) => response.failed({ unreachable: 'no-session' });
    expect(open(get).said[0]).toMatch('HEAD :status: 503');
  });

  test.each([
    ['more', '5', 'sixsix'],
    ['less', '7', 'sixsix'],
  ])('content that is %s than its length says breaks the request (A52)', (_what, length, content) => {
    const { open, upstream, notes, ends } = serve();
    const stream = open(`${post}|content-length: ${length}`, 'later');
    stream.handler.onData(bytes(content));
    stream.handler.onEnd();
    expect(stream.said).toEqual(['RESET 1']);
    expect(upstream.told.at(-1)).toBe('abort');
    expect(notes).toEqual(['failed length-mismatch']);
    expect(ends).toMatchObject([{ outcome: 'cut' }]);
  });

  test('trailers with pseudo-header fields break the request', () => {
    const { open, upstream, notes, ends } = serve();
    const stream = open(post, 'later');
    stream.handler.onHeaders(fieldsOf(':path: /b'), true);
    expect(stream.said).toEqual(['RESET 1']);
    expect(upstream.told.at(-1)).toBe('abort');
    expect(notes).toEqual(['failed bad-trailer']);
    expect(ends).toMatchObject([{ outcome: 'cut' }]);
  });

  test('a complete answer to an unfinished request ends it without an error', () => {
    const { open, upstream } = serve();
    const stream = open(post, 'later');
    upstream.answer(':status: 413|content-length: 0', 'with-head');
    upstream.response.end([]);
    expect(stream.said).toEqual(['HEAD :status: 413|content-length: 0 END', 'RESET 0']);
    stream.handler.onData(bytes('late'));
    stream.handler.onEnd();
    expect(upstream.told).toEqual(['start POST /orders']);
  });
});

describe('time', () => {
  test('a request without a byte for too long ends: answered before its answer began, cut after', async () => {
    const { open, upstream, clock } = serve();
    const silent = open(get);
    await clock.advance(32_000);
    expect(silent.said[0]).toMatch('HEAD :status: 504');
    expect(upstream.told.at(-1)).toBe('abort');
    const begun = open(get);
    upstream.answer(':status: 200');
    await clock.advance(20_000);
    upstream.response.data(bytes('x'));
    await clock.advance(20_000);
    expect(begun.said.at(-1)).toBe('DATA x');
    await clock.advance(15_000);
    expect(begun.said.at(-1)).toBe('RESET 8');
  });

  test('a GET whose end never comes is answered 408', async () => {
    const { open, clock } = serve();
    const stream = open(get, 'later');
    await clock.advance(32_000);
    expect(stream.said[0]).toMatch('HEAD :status: 408');
  });

  test('a gRPC stream may be silent for longer, unless bytes wait for its reader', async () => {
    const { open, upstream, clock } = serve();
    const stream = open(call, 'later');
    upstream.answer(':status: 200|content-type: application/grpc');
    await clock.advance(600_000);
    expect(stream.said).toEqual(['HEAD :status: 200|content-type: application/grpc']);
    stream.isFull = true;
    upstream.response.data(bytes('x'));
    await clock.advance(32_000);
    expect(stream.said.at(-1)).toBe('RESET 8');
  });

  test('a call to an app that speaks no gRPC may not be silent, whatever it calls itself (A54)', async () => {
    const stage = createStage();
    const { admit } = stage;
    stage.admit = (head) => ({ ...(admit(head) as Forward<never>), takesGrpc: () => false });
    const { open, upstream, clock } = serve(stage);
    const stream = open(call, 'later');
    await clock.advance(32_000);
    expect(stream.said[0]).toMatch('grpc-status: 4');
    expect(upstream.told.at(-1)).toBe('abort');
  });

  test('one that was answered by gRPC may be silent for longer, also while the app cannot be asked anew', async () => {
    const stage = createStage();
    const { admit } = stage;
    let takesGrpc = true;
    stage.admit = (head) => ({ ...(admit(head) as Forward<never>), takesGrpc: () => takesGrpc });
    const { open, upstream, clock } = serve(stage);
    const stream = open(call, 'later');
    upstream.answer(':status: 200|content-type: application/grpc');
    takesGrpc = false;
    await clock.advance(600_000);
    expect(stream.said).toHaveLength(1);
  });

  test('grpc-timeout bounds a call, whoever forgets it (A61)', async () => {
    const { open, upstream, clock } = serve();
    const stream = open(`${call}|grpc-timeout: 2S`, 'later');
    await clock.advance(1_500);
    expect(stream.said).toEqual([]);
    await clock.advance(2_500);
    expect(stream.said[0]).toMatch('grpc-status: 4');
    expect(upstream.told.at(-1)).toBe('abort');
  });

  test('a session without a request ends, and one without streams for long', async () => {
    const unused = serve();
    await unused.clock.advance(12_000);
    expect(unused.session.takesStreams).toBe(false);
    const used = serve();
    used.open(get);
    await used.clock.advance(15_000);
    used.session.openStreams = 0;
    await used.clock.advance(30_000);
    expect(used.session.takesStreams).toBe(true);
    await used.clock.advance(35_000);
    expect(used.session.takesStreams).toBe(false);
  });
});

describe('an agent’s answer to a gRPC call', () => {
  test('that is a document is said in gRPC’s way', () => {
    const { open, upstream, ends } = serve();
    const stream = open(call);
    upstream.answer(':status: 403|x-eastwest-decision: d-9|content-type: application/problem+json|content-length: 20');
    upstream.response.data(bytes('{"title":"no"}'));
    upstream.response.end([]);
    expect(stream.said).toEqual([
      `HEAD :status: 200|content-type: application/grpc|grpc-status: 7|grpc-message: The mesh answered the call with HTTP status 403|x-eastwest-decision: d-9|grpc-status-details-bin: ${grpcDetails({ code: 7, message: 'The mesh answered the call with HTTP status 403', decisionId: 'd-9' })} END`,
    ]);
    expect(ends).toMatchObject([{ status: 403, answeredBy: 'agent', outcome: 'complete' }]);
  });

  test('that is one already passes, and counts as what it stands for', () => {
    const { open, upstream, ends } = serve();
    const stream = open(call);
    upstream.answer(
      ':status: 200|content-type: application/grpc|grpc-status: 16|x-eastwest-decision: d-9',
      'with-head',
    );
    upstream.response.end([]);
    expect(stream.said[0]).toMatch('grpc-status: 16|x-eastwest-decision: d-9 END');
    expect(ends).toMatchObject([{ status: 401, answeredBy: 'agent' }]);
  });

  test('an app’s own document passes as it is', () => {
    const { open, upstream, ends } = serve();
    const stream = open(call);
    upstream.answer(':status: 404|content-type: text/plain');
    upstream.response.end([]);
    expect(stream.said).toEqual(['HEAD :status: 404|content-type: text/plain', 'END']);
    expect(ends).toMatchObject([{ status: 404, answeredBy: 'app' }]);
  });
});

describe('a session', () => {
  test('says goodbye when drained, and tells its end once', () => {
    const { connection, session, handler, notes } = serve();
    connection.drain();
    expect(session.takesStreams).toBe(false);
    handler.onClosed('drained');
    handler.onClosed('drained');
    expect(notes).toEqual(['closed']);
  });

  test('refuses CONNECT: whoever serves tunnels has taken its own streams before', () => {
    const { open, notes } = serve();
    expect(open(':method: CONNECT|:authority: a:1', 'later').said).toEqual(['RESET 1']);
    expect(notes).toEqual([]);
  });

  test('reads a head that is repeated into the same object', () => {
    const { open, upstream } = serve();
    open(get);
    const { head } = upstream.request;
    open(get);
    expect(upstream.request.head).toBe(head);
    open(`${get}|a: b`);
    expect(upstream.request.head).not.toBe(head);
  });
});
