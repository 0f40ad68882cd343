import { describe, expect, test } from 'vitest';
import { grpcDetails } from '#agent/http/h2/grpc-details.ts';
import { encodeMessage, grpcStatusOf, httpStatusOf, isGrpc, readGrpcCall, trailersOnly } from '#agent/http/h2/grpc.ts';
import { fieldsOf } from './fields-of.ts';

test.each([
  ['application/grpc', true],
  ['application/grpc+proto', true],
  ['application/grpc;charset=utf-8', true],
  ['application/grpc-web', false],
  ['application/grpc-web+proto', false],
  ['application/json', false],
])('%s is gRPC: %s', (contentType, expected) => {
  expect(isGrpc(fieldsOf(`content-type: ${contentType}`))).toBe(expected);
});

test.each([
  [400, 3],
  [401, 16],
  [403, 7],
  [404, 12],
  [408, 4],
  [429, 8],
  [431, 3],
  [500, 13],
  [501, 12],
  [502, 14],
  [503, 14],
  [504, 4],
  [418, 2],
])('an answer of ours with %d is gRPC status %d (A61)', (status, expected) => {
  expect(grpcStatusOf(status)).toBe(expected);
});

test.each([401, 403, 429, 500, 501, 503, 504])('the caller’s agent counts the other’s %d as one', (status) => {
  expect(httpStatusOf(String(grpcStatusOf(status)))).toBe(status);
});

test('our answer is one field section with status, message and decision', () => {
  const answer = { status: 403, title: 'Not admitted: 100 % sure', decisionId: 'd-1' };
  expect(trailersOnly(answer).map(({ name, value }) => `${name}: ${value}`)).toEqual([
    ':status: 200',
    'content-type: application/grpc',
    'grpc-status: 7',
    'grpc-message: Not admitted: 100 %25 sure',
    'x-eastwest-decision: d-1',
    `grpc-status-details-bin: ${grpcDetails({ code: 7, message: answer.title, decisionId: 'd-1' })}`,
  ]);
  expect(trailersOnly({ status: 403, title: 'No' })).toHaveLength(4); // without a decision there are no details
});

test.each([
  ['plain ~ text', 'plain ~ text'],
  ['100%', '100%25'],
  ['tür\n', 't%C3%BCr%0A'],
])('message %j is sent as %j', (text, expected) => {
  expect(encodeMessage(text)).toBe(expected);
});

describe('grpc-timeout (A61)', () => {
  test.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3_000],
    ['250m', 250],
    ['250u', 0.25],
    ['99999999n', 99.999_999],
  ])('%s bounds the call to %d ms', (value, timeoutMs) => {
    expect(readGrpcCall(fieldsOf(`grpc-timeout: ${value}`))).toEqual({ ok: true, timeoutMs });
  });

  test.each(['', 'S', '5', '5s', '-5S', '1.5S', ' 5S', '5 S', '999999999S', '0x5S'])('%j is refused', (value) => {
    expect(readGrpcCall(fieldsOf(`grpc-timeout: ${value}`)).ok).toBe(false);
  });

  test('said twice is refused', () => {
    expect(readGrpcCall(fieldsOf('grpc-timeout: 1S|grpc-timeout: 2S')).ok).toBe(false);
  });
});

test.each(['grpc-status: 0', 'grpc-message: ok', 'grpc-status-details-bin: AA=='])(
  'a call that carries %s, which is for answers, is refused (A61)',
  (line) => {
    expect(readGrpcCall(fieldsOf(line)).ok).toBe(false);
  },
);

test('other names that gRPC reserves stay the app’s business', () => {
  expect(readGrpcCall(fieldsOf('grpc-encoding: gzip|grpc-accept-encoding: gzip|grpc-trace-bin: AA=='))).toEqual({
    ok: true,
    timeoutMs: Infinity,
  });
});
