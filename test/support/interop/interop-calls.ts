import type { MethodDefinition } from '@grpc/grpc-js';
import { join } from 'node:path';
import protobuf from 'protobufjs';

export interface Payload {
  readonly payload?: { readonly body?: Uint8Array } | null;
}
export interface Wish extends Payload {
  readonly responseParameters?: readonly { readonly size?: number; readonly intervalUs?: number }[];
  readonly responseSize?: number;
  readonly responseStatus?: { readonly code?: number; readonly message?: string } | null;
}

const root = protobuf.loadSync(join(import.meta.dirname, '..', 'foreign', 'grpc', 'interop.proto'));
/** Metadata that the service sends back. */
export const initialName = 'x-grpc-test-echo-initial';
export const trailingName = 'x-grpc-test-echo-trailing-bin';
type Kind = 'unary' | 'from-client' | 'from-server' | 'duplex';

function method(name: string, kind: Kind, [asks, answers]: readonly [string, string]): MethodDefinition<Wish, Payload> {
  const [request, response] = [asks, answers].map((type) => root.lookupType(`grpc.testing.${type}`));
  const write = (type: protobuf.Type) => (value: object) => Buffer.from(type.encode(type.fromObject(value)).finish());
  const read = (type: protobuf.Type) => (bytes: Buffer) => type.decode(bytes) as unknown as Wish;
  return {
    path: `/grpc.testing.TestService/${name}`,
    requestStream: kind === 'from-client' || kind === 'duplex',
    responseStream: kind === 'from-server' || kind === 'duplex',
    requestSerialize: write(request!),
    requestDeserialize: read(request!),
    responseSerialize: write(response!),
    responseDeserialize: read(response!),
  };
}

/** The service's methods, under the names and numbers of `interop.proto`. */
export const interopCalls = {
  EmptyCall: method('EmptyCall', 'unary', ['Empty', 'Empty']),
  UnaryCall: method('UnaryCall', 'unary', ['SimpleRequest', 'SimpleResponse']),
  StreamingOutputCall: method('StreamingOutputCall', 'from-server', [
    'StreamingOutputCallRequest',
    'StreamingOutputCallResponse',
  ]),
  StreamingInputCall: method('StreamingInputCall', 'from-client', [
    'StreamingInputCallRequest',
    'StreamingInputCallResponse',
  ]),
  FullDuplexCall: method('FullDuplexCall', 'duplex', ['StreamingOutputCallRequest', 'StreamingOutputCallResponse']),
};

export const zeros = (size: number): { readonly body: Buffer } => ({ body: Buffer.alloc(size) });
export const sizeOf = ({ payload }: Payload): number => payload?.body?.length ?? 0;
