import {
  Client,
  credentials,
  Metadata,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ServiceError,
} from '@grpc/grpc-js';
import { interopCalls, sizeOf, type Payload, type Wish } from './interop-calls.ts';

/** How a call ended, and what it brought. */
export interface Outcome {
  readonly code: number;
  readonly details: string;
  readonly sizes: readonly number[];
  readonly answer: object | undefined;
  readonly initial: Metadata;
  readonly trailing: Metadata;
}

/** grpc-js as the client of one channel. */
export class InteropClient implements Disposable {
  readonly #client: Client;

  constructor(port: number) {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  /** A unary call to its end. */
  unary(path: string, wish: object, metadata = new Metadata()): Promise<Outcome> {
    const { requestSerialize, responseDeserialize } = path.endsWith('EmptyCall')
      ? interopCalls.EmptyCall
      : interopCalls.UnaryCall;
    return new Promise((resolve) => {
      let initial = new Metadata();
      let error: ServiceError | null = null;
      let answer: Payload | undefined;
      const options = { deadline: Date.now() + 20_000 };
      const call = this.#client.makeUnaryRequest<Wish, Payload>(
        path,
        requestSerialize,
        responseDeserialize,
        wish,
        metadata,
        options,
        (failed, value) => ([error, answer] = [failed, value]),
      );
      call.on('metadata', (got: Metadata) => (initial = got));
      call.on('status', ({ code, details, metadata: trailing }) => {
        setImmediate(() => {
          const sizes = answer ? [sizeOf(answer)] : [];
          resolve({ code: error?.code ?? code, details, sizes, answer, initial, trailing });
        });
      });
    });
  }

  /** A stream that the case talks on; `ended` tells all. */
  duplex({ metadata = new Metadata(), timeoutMs = 20_000 } = {}) {
    const { path, requestSerialize, responseDeserialize } = interopCalls.FullDuplexCall;
    const options = { deadline: Date.now() + timeoutMs };
    const call = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, options);
    return { call, ...watch(call) };
  }

  fromServer(wish: Wish) {
    const { path, requestSerialize, responseDeserialize } = interopCalls.StreamingOutputCall;
    const options = { deadline: Date.now() + 20_000 };
    return watch(
      this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, wish, new Metadata(), options),
    );
  }

  fromClient() {
    const { path, requestSerialize, responseDeserialize } = interopCalls.StreamingInputCall;
    const answered = Promise.withResolvers<{ error: ServiceError | null; answer: Payload | undefined }>();
    const call = this.#client.makeClientStreamRequest<Wish, Payload>(
      path,
      requestSerialize,
      responseDeserialize,
      (error, answer) => answered.resolve({ error, answer }),
    );
    return { call, answered: answered.promise };
  }
}

type Watched = ClientDuplexStream<Wish, Payload> | ClientReadableStream<Payload>;

function watch(call: Watched): { readonly ended: Promise<Outcome>; next(): Promise<number> } {
  const sizes: number[] = [];
  const waiting: ((size: number) => void)[] = [];
  let taken = 0;
  let initial = new Metadata();
  const deal = (): void => {
    while (waiting.length > 0 && taken < sizes.length) waiting.shift()!(sizes[taken++]!);
  };
  call.on('metadata', (got: Metadata) => (initial = got));
  call.on('data', (answer: Payload) => {
    sizes.push(sizeOf(answer));
    deal();
  });
  call.on('error', () => undefined); // 'status' tells
  const ended = new Promise<Outcome>((resolve) => {
    call.on('status', ({ code, details, metadata: trailing }) =>
      setImmediate(() => resolve({ code, details, sizes, answer: undefined, initial, trailing })),
    );
  });
  const next = (): Promise<number> =>
    new Promise((resolve) => {
      waiting.push(resolve);
      deal();
    });
  return { ended, next };
}
