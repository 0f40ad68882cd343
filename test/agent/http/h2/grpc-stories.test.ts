import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  status,
  type ServiceError,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type StatusObject,
} from '@grpc/grpc-js';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listenOnLoopback, startProxy, type Proxy } from './proxies.ts';

const asIs = (bytes: Buffer): Buffer => bytes;
const text = (bytes: Buffer | undefined): string => bytes?.toString() ?? '';

/** What the app saw, and how its calls ended. */
const app = { metadata: new Metadata(), events: [] as string[] };
const server = new Server();
const method = { requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };
server.addService(
  {
    Unary: { ...method, path: '/t.Test/Unary', requestStream: false, responseStream: false },
    Up: { ...method, path: '/t.Test/Up', requestStream: true, responseStream: false },
    Down: { ...method, path: '/t.Test/Down', requestStream: false, responseStream: true },
    Both: { ...method, path: '/t.Test/Both', requestStream: true, responseStream: true },
  },
  {
    Unary(call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) {
      app.metadata = call.metadata;
      const wish = text(call.request);
      call.on('cancelled', () => app.events.push('cancelled'));
      if (wish === 'wait') return app.events.push('waiting');
      if (wish === 'fail') {
        const metadata = new Metadata();
        metadata.set('x-detail', 'why');
        return answer({ code: status.FAILED_PRECONDITION, details: 'not today: 5 %', metadata });
      }
      const trailers = new Metadata();
      trailers.set('location', 'shelf 3');
      trailers.set('x-eastwest-decision', 'forged');
      const head = new Metadata();
      head.set('x-forwarded-client-cert', 'forged');
      head.set('x-head', 'kept');
      call.sendMetadata(head);
      return answer(null, call.request, trailers);
    },
    Up(call: ServerReadableStream<Buffer, Buffer>, answer: sendUnaryData<Buffer>) {
      let bytes = 0;
      call.on('data', (message: Buffer) => (bytes += message.length));
      call.on('end', () => answer(null, Buffer.from(String(bytes))));
    },
    Down(call: ServerWritableStream<Buffer, Buffer>) {
      const count = Number(text(call.request));
      for (let at = 0; at < count; at += 1) call.write(Buffer.alloc(1_000, at % 256));
      call.end();
    },
    Both(call: ServerDuplexStream<Buffer, Buffer>) {
      call.on('data', (message: Buffer) => call.write(message));
      call.on('end', () => call.end());
      call.on('cancelled', () => app.events.push('stream cancelled'));
    },
  },
);

let ingress: Proxy;
let egress: Proxy;
let client: Client;

beforeAll(async () => {
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const deny = ({ target }: { readonly target: string }): number | undefined =>
    ({ '/t.Test/Forbidden': 403, '/t.Test/Unknown': 401 })[target];
  ingress = await startProxy({ from: 'h2', to: 'h2', appPort: port, side: 'inbound', deny });
  egress = await startProxy({ from: 'h2', to: 'h2', appPort: ingress.port, side: 'outbound' });
  client = new Client(`127.0.0.1:${egress.port}`, credentials.createInsecure());
});

afterAll(async () => {
  client.close();
  server.forceShutdown();
  await egress[Symbol.asyncDispose]();
  await ingress[Symbol.asyncDispose]();
});

interface Answered {
  readonly error: ServiceError | null;
  readonly message: string;
  readonly head: Metadata;
  readonly status: StatusObject;
}

function unary(
  wish: string,
  {
    path = '/t.Test/Unary',
    deadline,
    metadata = new Metadata(),
    to = client,
  }: {
    readonly path?: string;
    readonly deadline?: number;
    readonly metadata?: Metadata;
    readonly to?: Client;
  } = {},
): Promise<Answered> {
  return new Promise((resolve) => {
    let head = new Metadata();
    let answered: Pick<Answered, 'error' | 'message'> | undefined;
    const options = deadline === undefined ? {} : { deadline };
    const call = to.makeUnaryRequest(path, asIs, asIs, Buffer.from(wish), metadata, options, (error, message) => {
      answered = { error, message: text(message) };
    });
    call.on('metadata', (got: Metadata) => (head = got));
    call.on('status', (got: StatusObject) => setImmediate(() => resolve({ ...answered!, head, status: got })));
  });
}

describe('a gRPC call over a pair of agents', () => {
  test('is answered with its message and its metadata, before and after', async () => {
    const metadata = new Metadata();
    metadata.set('x-mesh-identity', 'forged');
    metadata.set('x-request', 'kept');
    const { message, head, status: ended } = await unary('hello', { metadata });
    expect(message).toBe('hello');
    expect(head.get('x-head')).toEqual(['kept']);
    expect(ended.metadata.get('location')).toEqual(['shelf 3']);
    expect(app.metadata.get('x-request')).toEqual(['kept']);
  });

  test('brings the app the verified caller and no other (A48), and no name of ours comes back from it (A61)', async () => {
    const metadata = new Metadata();
    metadata.set('x-mesh-identity', 'forged');
    const { head, status: ended } = await unary('hello', { metadata });
    expect(app.metadata.get('x-mesh-identity')).toEqual(['spiffe://prod.example/shop']);
    expect(head.get('x-forwarded-client-cert')).toEqual([]);
    expect(ended.metadata.get('x-eastwest-decision')).toEqual([]);
  });

  test('fails as the app says, with its details', async () => {
    const { error } = await unary('fail');
    expect(error).toMatchObject({ code: status.FAILED_PRECONDITION, details: 'not today: 5 %' });
    expect(error!.metadata.get('x-detail')).toEqual(['why']);
  });

  test('to a method that the app does not have is UNIMPLEMENTED', async () => {
    const { error } = await unary('x', { path: '/t.Test/None' });
    expect(error).toMatchObject({ code: status.UNIMPLEMENTED });
  });

  test.each([
    ['/t.Test/Forbidden', status.PERMISSION_DENIED, 403],
    ['/t.Test/Unknown', status.UNAUTHENTICATED, 401],
  ])('that is refused on the way says so in gRPC, with its decision (A61)', async (path, code, http) => {
    egress.ends.length = 0;
    const { error } = await unary('x', { path });
    expect(error).toMatchObject({ code });
    expect(error!.metadata.get('x-eastwest-decision')).toEqual(['d-1']);
    expect(egress.ends).toMatchObject([{ status: http, answeredBy: 'agent', outcome: 'complete' }]);
  });

  test('ends at the app when its deadline has passed, and says so', async () => {
    app.events.length = 0;
    const { error } = await unary('wait', { deadline: Date.now() + 150 });
    expect(error).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    await expect.poll(() => app.events).toEqual(['waiting', 'cancelled']);
  });

  test('ends at the app when the caller cancels it', async () => {
    app.events.length = 0;
    const call = client.makeUnaryRequest('/t.Test/Unary', asIs, asIs, Buffer.from('wait'), () => undefined);
    await expect.poll(() => app.events).toEqual(['waiting']);
    call.cancel();
    await expect.poll(() => app.events).toEqual(['waiting', 'cancelled']);
  });
});

describe('a gRPC stream over a pair of agents', () => {
  test('of the caller brings every message', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const call = client.makeClientStreamRequest('/t.Test/Up', asIs, asIs, (error, message) =>
        error ? reject(error) : resolve(text(message)),
      );
      for (let at = 0; at < 500; at += 1) call.write(Buffer.alloc(10_000));
      call.end();
    });
    expect(answer).toBe('5000000');
  });

  test('of the app brings every message', async () => {
    const call = client.makeServerStreamRequest('/t.Test/Down', asIs, asIs, Buffer.from('2000'));
    let bytes = 0;
    for await (const message of call) bytes += (message as Buffer).length;
    expect(bytes).toBe(2_000_000);
  });

  test('in both directions answers each message before the next', async () => {
    const call = client.makeBidiStreamRequest('/t.Test/Both', asIs, asIs);
    const heard: string[] = [];
    const ended = new Promise<StatusObject>((resolve) => void call.on('status', resolve));
    call.on('data', (message: Buffer) => {
      heard.push(text(message));
      if (heard.length < 50) call.write(Buffer.from(`m${heard.length}`));
      else call.end();
    });
    call.write(Buffer.from('m0'));
    expect((await ended).code).toBe(status.OK);
    expect(heard).toEqual(Array.from({ length: 50 }, (_, at) => `m${at}`));
  });

  test('ends at the app when the caller cancels it', async () => {
    app.events.length = 0;
    const call = client.makeBidiStreamRequest('/t.Test/Both', asIs, asIs);
    call.on('error', () => undefined);
    call.write(Buffer.from('x'));
    await new Promise((resolve) => void call.once('data', resolve));
    call.cancel();
    await expect.poll(() => app.events).toEqual(['stream cancelled']);
  });

  test('of which 200 run at once', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, (_, at) => unary(`n${at}`)));
    expect(answers.map(({ message }) => message)).toEqual(Array.from({ length: 200 }, (_, at) => `n${at}`));
  });
});

describe('a gRPC call that meets something else', () => {
  test('than a listening app is UNAVAILABLE', async () => {
    await using proxy = await startProxy({ from: 'h2', to: 'h2', appPort: 1 });
    const other = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure());
    const { error } = await unary('x', { to: other });
    other.close();
    expect(error).toMatchObject({ code: status.UNAVAILABLE, details: 'unreachable app-unreachable' });
  });

  test('an app that resets the stream after its head is not a clean end', async () => {
    const rude = createHttp2Server((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/grpc' });
      response.write(Buffer.alloc(3));
      setImmediate(() => response.stream.close(2));
    });
    const port = await listenOnLoopback(rude);
    await using proxy = await startProxy({ from: 'h2', to: 'h2', appPort: port });
    const other = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure());
    const { error } = await unary('x', { to: other });
    other.close();
    rude.close();
    expect(error).toMatchObject({ code: status.INTERNAL });
    expect(proxy.ends).toMatchObject([{ status: 200, outcome: 'cut' }]);
  });

  test('a document of the other agent is said in gRPC (A61)', async () => {
    const agent = createHttpServer((_request, response) => {
      response.writeHead(403, { 'x-eastwest-decision': 'd-9', 'content-type': 'application/problem+json' });
      response.end('{"title":"This workload does not admit the caller"}');
    });
    const port = await listenOnLoopback(agent);
    await using proxy = await startProxy({ from: 'h2', to: 'h1', appPort: port, side: 'outbound' });
    const other = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure());
    const { error } = await unary('x', { to: other });
    other.close();
    agent.close();
    expect(error).toMatchObject({ code: status.PERMISSION_DENIED });
    expect(error!.metadata.get('x-eastwest-decision')).toEqual(['d-9']);
    expect(proxy.ends).toMatchObject([{ status: 403, answeredBy: 'agent' }]);
  });
});
