import { describe, expect, test } from 'vitest';
import { headerField } from '#agent/http/header-field.ts';
import { fieldsOf } from './fields-of.ts';
import { bytes, createUpstreamStage, get, post } from './upstream-stage.ts';

describe('a request goes out as HTTP/2', () => {
  test('with its head, body and trailers, in its own words', () => {
    const { session, start } = createUpstreamStage();
    const { sink } = start(`${post}|host: shop.test|accept: */*|te: trailers|content-length: 3`, 'later');
    sink.data(bytes('abc'));
    sink.end(fieldsOf('x-sum: 3'));
    expect(session.last.said).toEqual([
      'HEAD :method: POST|:scheme: http|:authority: shop.test|:path: /orders|accept: */*|content-length: 3',
      'DATA abc',
      'HEAD x-sum: 3 END',
    ]);
  });

  test('without a body as a whole', () => {
    const { session, start } = createUpstreamStage({ scheme: 'https' });
    start(get).sink.end([]);
    expect(session.last.said).toEqual(['HEAD :method: GET|:scheme: https|:authority: shop.test:80|:path: /prices END']);
  });

  test('with TE where a gRPC caller said so, because servers ask for it (A61)', () => {
    const { session, start } = createUpstreamStage();
    start(`${post}|content-type: application/grpc|te: trailers`, 'later');
    expect(session.last.said[0]).toMatch('|te: trailers');
    start(`${post}|content-type: application/grpc`, 'later');
    expect(session.last.said[0]).not.toMatch('te: ');
    start(`${post}|content-type: text/plain|te: trailers`, 'later');
    expect(session.last.said[0]).not.toMatch('te: ');
  });

  test('with fields of ours, whatever the caller said under their names', () => {
    const { session, start } = createUpstreamStage({ extraFields: [headerField('x-eastwest-port', '7002')] });
    start(`${get}|x-eastwest-port: 22|a: b`);
    expect(session.last.said[0]).toMatch(/:path: \/prices\|a: b\|x-eastwest-port: 7002 END$/);
  });
});

describe('an answer', () => {
  test('comes back with its head, body and trailers, without what may not pass', () => {
    const { session, start } = createUpstreamStage();
    const { caller } = start(get);
    const { handler } = session.last;
    handler.onHeaders(fieldsOf(':status: 103|link: </a.css>'), false);
    handler.onHeaders(
      fieldsOf(':status: 200|server: app|content-length: 3|x-secret-a: 1|proxy-authenticate: x'),
      false,
    );
    handler.onData(bytes('abc'));
    handler.onHeaders(fieldsOf('x-sum: 3|x-secret-b: 1|content-length: 3|set-cookie: a=1'), true);
    expect(caller.heard).toEqual(['103 link: </a.css>', '200 length 3 server: app', 'data abc', 'end x-sum: 3']);
  });

  test('to a gRPC call keeps the metadata of its trailers, whatever their names', () => {
    const { session, start } = createUpstreamStage();
    const { caller } = start(`${post}|content-type: application/grpc`);
    session.last.handler.onHeaders(fieldsOf(':status: 200|content-type: application/grpc'), false);
    session.last.handler.onHeaders(
      fieldsOf('grpc-status: 0|location: here|x-secret-a: 1|content-length: 3|x-forwarded-client-cert: forged'),
      true,
    );
    expect(caller.heard).toEqual(['200 chunked content-type: application/grpc', 'end grpc-status: 0|location: here']);
  });

  test('that ends with its head is told as one of length 0', () => {
    const { session, start } = createUpstreamStage();
    const { caller } = start(get);
    session.last.handler.onHeaders(fieldsOf(':status: 200'), true);
    expect(caller.heard).toEqual(['200 length 0', 'end']);
  });

  test('that comes before the request has ended stops the request', () => {
    const { session, start } = createUpstreamStage();
    const { caller, sink } = start(post, 'later');
    session.last.handler.onHeaders(fieldsOf(':status: 413'), true);
    expect(session.last.said.at(-1)).toBe('RESET 8');
    expect(caller.heard.at(-1)).toBe('end');
    sink.data(bytes('late'));
    sink.end([]);
    sink.abort();
    expect(session.last.said.at(-1)).toBe('RESET 8');
  });

  test.each([
    ['unexpected-upgrade', ':status: 101'],
    ['bad-status-line', 'server: x'],
    ['bad-header-name', ':status: 200|connection: close'],
    ['several-content-lengths', ':status: 200|content-length: 1|content-length: 1'],
  ])('is refused for %s: %s (A62, A79)', (reason, text) => {
    const { session, start } = createUpstreamStage();
    const { caller } = start(get);
    session.last.handler.onHeaders(fieldsOf(text), false);
    expect(caller.heard).toEqual([`failed ${reason}`]);
    expect(session.last.said.at(-1)).toBe('RESET 1');
  });

  test.each([
    ['more', 'abcd'],
    ['less', 'ab'],
  ])('with %s content than it said is broken', (_what, content) => {
    const { session, start } = createUpstreamStage();
    const { caller } = start(get);
    session.last.handler.onHeaders(fieldsOf(':status: 200|content-length: 3'), false);
    session.last.handler.onData(bytes(content));
    session.last.handler.onEnd();
    expect(caller.heard.at(-1)).toBe('failed length-mismatch');
  });

  test('with content where there can be none, or more than ten informational heads, is broken (A62)', () => {
    const { session, start } = createUpstreamStage();
    const headed = start(get.replace('GET', 'HEAD'));
    session.last.handler.onHeaders(fieldsOf(':status: 200'), false);
    session.last.handler.onData(bytes('x'));
    expect(headed.caller.heard.at(-1)).toBe('failed length-mismatch');
    const flooded = start(get);
    for (let at = 0; at < 11; at += 1) session.last.handler.onHeaders(fieldsOf(':status: 103'), false);
    expect(flooded.caller.heard.at(-1)).toBe('failed too-many-interim');
  });

  test.each([
    ['before its head', [], 'failed upstream-closed'],
    ['after an informational one', [':status: 103'], 'failed upstream-broken'],
    ['after its head', [':status: 200'], 'failed upstream-broken'],
  ])('that is reset %s is told as broken', (_when, heads, heard) => {
    const { session, start } = createUpstreamStage();
    const { caller } = start(get);
    for (const head of heads) session.last.handler.onHeaders(fieldsOf(head), false);
    session.last.handler.onReset(2);
    expect(caller.heard.at(-1)).toBe(heard);
  });
});

describe('a slow side slows the other', () => {
  test('a receiver that takes no more', () => {
    const { session, start } = createUpstreamStage();
    const { caller, sink } = start(post, 'later');
    session.last.isFull = true;
    expect(sink.data(bytes('x'))).toBe(false);
    session.last.drain();
    expect(caller.heard).toEqual(['drain']);
  });

  test('a caller that takes no more', () => {
    const { session, start } = createUpstreamStage();
    const { sink } = start(get);
    sink.pause();
    sink.resume();
    expect(session.last.said.slice(1)).toEqual(['PAUSE', 'RESUME']);
  });
});

test('a caller that leaves resets the stream, also after its request has ended', () => {
  const { session, start } = createUpstreamStage();
  const { caller, sink } = start(get);
  sink.end([]);
  sink.abort();
  session.last.handler.onReset(8);
  expect(session.last.said.at(-1)).toBe('RESET 8');
  expect(caller.heard).toEqual([]);
});
