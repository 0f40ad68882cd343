import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { setTimeout as sleep } from 'node:timers/promises';
import { initialName, interopCalls, sizeOf, trailingName, zeros, type Payload, type Wish } from './interop-calls.ts';

export interface InteropServer extends AsyncDisposable {
  readonly port: number;
  /** Methods of calls whose end by the caller it noticed. */
  readonly cancelled: readonly string[];
}

/** The service, by grpc-js. */
export async function startInteropServer(): Promise<InteropServer> {
  const cancelled: string[] = [];
  const server = new Server();
  server.addService(interopCalls, {
    EmptyCall: (_call: ServerUnaryCall<Wish, Payload>, reply: sendUnaryData<Payload>) => reply(null, {}),
    UnaryCall(call: ServerUnaryCall<Wish, Payload>, reply: sendUnaryData<Payload>) {
      const trailing = echoMetadata(call);
      const failure = failureOf(call.request);
      if (failure) reply(failure);
      else reply(null, { payload: zeros(call.request.responseSize ?? 0) }, trailing);
    },
    async StreamingOutputCall(call: ServerWritableStream<Wish, Payload>) {
      await writeWished(call, call.request);
      call.end();
    },
    StreamingInputCall(call: ServerReadableStream<Wish, Payload>, reply: sendUnaryData<Payload>) {
      let aggregatedPayloadSize = 0;
      call.on('data', (piece: Wish) => (aggregatedPayloadSize += sizeOf(piece)));
      call.on('end', () => reply(null, { aggregatedPayloadSize } as Payload));
      call.on('cancelled', () => cancelled.push('StreamingInputCall'));
    },
    FullDuplexCall(call: ServerDuplexStream<Wish, Payload>) {
      const trailing = echoMetadata(call);
      let written = Promise.resolve();
      call.on('data', (wish: Wish) => {
        const failure = failureOf(wish);
        written = failure
          ? written.then(() => void call.emit('error', failure))
          : written.then(() => writeWished(call, wish));
      });
      call.on('end', () => void written.then(() => call.end(trailing)));
      call.on('cancelled', () => cancelled.push('FullDuplexCall'));
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    const bound = (error: Error | null, given: number): void => (error ? reject(error) : resolve(given));
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), bound);
  });
  return { port, cancelled, [Symbol.asyncDispose]: async () => server.forceShutdown() };
}

async function writeWished(
  call: { readonly cancelled: boolean; write(answer: Payload): unknown },
  { responseParameters = [] }: Wish,
): Promise<void> {
  for (const { size = 0, intervalUs = 0 } of responseParameters) {
    if (intervalUs > 0) await sleep(intervalUs / 1000);
    if (!call.cancelled) call.write({ payload: zeros(size) });
  }
}

function echoMetadata(call: { readonly metadata: Metadata; sendMetadata(sent: Metadata): void }): Metadata {
  const [initial, trailing] = [new Metadata(), new Metadata()];
  for (const value of call.metadata.get(initialName)) initial.set(initialName, value);
  for (const value of call.metadata.get(trailingName)) trailing.set(trailingName, value);
  if (initial.get(initialName).length > 0) call.sendMetadata(initial);
  return trailing;
}

function failureOf({ responseStatus }: Wish): { code: number; details: string; metadata: Metadata } | undefined {
  if (!responseStatus?.code) return undefined;
  return { code: responseStatus.code, details: responseStatus.message ?? '', metadata: new Metadata() };
}
