import { Metadata, status } from '@grpc/grpc-js';
import { setTimeout as sleep } from 'node:timers/promises';
import { initialName, interopCalls, trailingName, zeros, type Wish } from './interop-calls.ts';
import type { InteropClient } from './interop-client.ts';

/** The cases of gRPC's interoperability tests that need no special server or credentials. */
export const interopCases = [
  ...['empty_unary', 'large_unary', 'client_streaming', 'server_streaming', 'ping_pong', 'empty_stream'],
  ...['cancel_after_begin', 'cancel_after_first_response', 'timeout_on_sleeping_server', 'status_code_and_message'],
  ...['special_status_message', 'unimplemented_method', 'unimplemented_service', 'custom_metadata'],
] as const;

export type InteropCase = (typeof interopCases)[number];

const special = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
const pairs = [
  [31_415, 27_182],
  [9, 8],
  [2_653, 1_828],
  [58_979, 45_904],
] as const;

function wishFor(sizes: readonly number[], sent = 0, intervalUs = 0): Wish {
  return { responseParameters: sizes.map((size) => ({ size, intervalUs })), payload: zeros(sent) };
}

const unaryPath = interopCalls.UnaryCall.path;
const largeWish: Wish = { responseSize: 314_159, payload: zeros(271_828) };

function same(got: unknown, wanted: unknown): void {
  if (JSON.stringify(got) !== JSON.stringify(wanted)) {
    throw new Error(`${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`);
  }
}

/** Throws what went wrong. */
export const nodeCases: Readonly<Record<InteropCase, (client: InteropClient) => Promise<void>>> = {
  async empty_unary(client) {
    const { code, answer } = await client.unary(interopCalls.EmptyCall.path, {});
    same([code, answer], [status.OK, {}]);
  },
  async large_unary(client) {
    const { code, sizes } = await client.unary(unaryPath, largeWish);
    same([code, sizes], [status.OK, [314_159]]);
  },
  async client_streaming(client) {
    const { call, answered } = client.fromClient();
    for (const size of [27_182, 8, 1_828, 45_904]) call.write({ payload: zeros(size) });
    call.end();
    same((await answered).answer, { aggregatedPayloadSize: 74_922 });
  },
  async server_streaming(client) {
    const { code, sizes } = await client.fromServer(wishFor(pairs.map(([size]) => size))).ended;
    same([code, sizes], [status.OK, pairs.map(([size]) => size)]);
  },
  async ping_pong(client) {
    const { call, ended, next } = client.duplex();
    for (const [size, sent] of pairs) {
      call.write(wishFor([size], sent));
      same(await next(), size);
    }
    call.end();
    same((await ended).code, status.OK);
  },
  async empty_stream(client) {
    const { call, ended } = client.duplex();
    call.end();
    const { code, sizes } = await ended;
    same([code, sizes], [status.OK, []]);
  },
  async cancel_after_begin(client) {
    const { call, answered } = client.fromClient();
    await sleep(50); // it has begun at the server
    call.cancel();
    same((await answered).error?.code, status.CANCELLED);
  },
  async cancel_after_first_response(client) {
    const { call, ended, next } = client.duplex();
    call.write(wishFor([31_415], 27_182));
    same(await next(), 31_415);
    call.cancel();
    same((await ended).code, status.CANCELLED);
  },
  async timeout_on_sleeping_server(client) {
    const { call, ended } = client.duplex({ timeoutMs: 200 });
    call.write(wishFor([31_415], 27_182, 2_000_000));
    same((await ended).code, status.DEADLINE_EXCEEDED);
  },
  async status_code_and_message(client) {
    const wish = { responseStatus: { code: 2, message: 'test status message' } };
    const { code, details } = await client.unary(unaryPath, wish);
    same([code, details], [2, 'test status message']);
    const { call, ended } = client.duplex();
    call.write(wish);
    const end = await ended;
    same([end.code, end.details], [2, 'test status message']);
  },
  async special_status_message(client) {
    const { code, details } = await client.unary(unaryPath, { responseStatus: { code: 2, message: special } });
    same([code, details], [2, special]);
  },
  async unimplemented_method(client) {
    same((await client.unary('/grpc.testing.TestService/UnimplementedCall', {})).code, status.UNIMPLEMENTED);
  },
  async unimplemented_service(client) {
    same((await client.unary('/grpc.testing.Unknown/Call', {})).code, status.UNIMPLEMENTED);
  },
  async custom_metadata(client) {
    const metadata = new Metadata();
    metadata.set(initialName, 'test_initial_metadata_value');
    metadata.set(trailingName, Buffer.from('ababab', 'hex'));
    const unary = await client.unary(unaryPath, largeWish, metadata);
    const { call, ended } = client.duplex({ metadata });
    call.write(wishFor([314_159], 271_828));
    call.end();
    for (const { code, initial, trailing } of [unary, await ended]) {
      const binary = trailing.get(trailingName).map((value) => Buffer.from(value as Buffer).toString('hex'));
      same([code, initial.get(initialName), binary], [status.OK, ['test_initial_metadata_value'], ['ababab']]);
    }
  },
};
