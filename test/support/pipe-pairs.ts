import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { connect, TLSSocket } from 'node:tls';
import type { IdentitySnapshot } from '#agent/identity/store.ts';
import { connectSocket } from '#agent/pipe/connect-tcp.ts';
import { guardedClient, guardedServer } from '#agent/pipe/guarded-tls.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { TcpPipe } from '#agent/pipe/tcp-pipe.ts';
import { TlsPipe } from '#agent/pipe/tls-pipe.ts';
import { clientTlsOptions, secureContextOf } from '#agent/tls/contexts.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { createRecordingReader, type RecordingReader } from '#support/recording-reader.ts';
import { identityOf } from '#support/test-identity.ts';
import { createTestCa } from '#support/test-ca.ts';

/** Both ends of one connection on loopback, each with a reader that writes down what it is told. Both start paused. */
export interface PipePair extends AsyncDisposable {
  readonly client: Pipe;
  readonly server: Pipe;
  readonly atClient: RecordingReader;
  readonly atServer: RecordingReader;
}

export type PairKind = 'tcp' | 'tls' | 'guarded-tls';

export async function connectPipes(kind: PairKind): Promise<PipePair> {
  const raw = await connectSockets();
  const [client, server] = await makePipes[kind](raw);
  const atClient = createRecordingReader();
  const atServer = createRecordingReader();
  client.reader = atClient;
  server.reader = atServer;
  return {
    client,
    server,
    atClient,
    atServer,
    [Symbol.asyncDispose]: () => {
      raw.client.destroy();
      raw.server.destroy();
      return Promise.resolve();
    },
  };
}

export interface RawPair {
  readonly client: Socket;
  readonly server: Socket;
}

/** Two TCP sockets that are connected with each other. */
export async function connectSockets(): Promise<RawPair> {
  const listener = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const accepted = once(listener, 'connection');
  const { port } = listener.address() as AddressInfo;
  const connected = await connectSocket({ host: '127.0.0.1', port }, { clock: systemClock });
  if (!connected.ok) throw new Error(connected.reason);
  const [server] = (await accepted) as [Socket];
  listener.close();
  return { client: connected.value, server };
}

const nowMs = Date.now();
const ca = createTestCa({ nowMs });

/** A good identity of the shop's trust domain. */
export const shopIdentity: IdentitySnapshot = Object.freeze({
  ...identityOf(ca.leaf('cart'), { ca, nowMs }),
  generation: 1,
});

export const serverOptions = {
  secureContext: secureContextOf(shopIdentity),
  requestCert: true,
  rejectUnauthorized: true,
};

const makePipes: Record<PairKind, (raw: RawPair) => [Pipe, Pipe] | Promise<[Pipe, Pipe]>> = {
  tcp: ({ client, server }) => [new TcpPipe(client), new TcpPipe(server)],
  async tls(raw) {
    const server = new TLSSocket(raw.server, { ...serverOptions, isServer: true });
    const client = connect({ ...clientTlsOptions(shopIdentity), socket: raw.client });
    await Promise.all([once(client, 'secureConnect'), once(server, 'secure')]);
    return [new TlsPipe(client), new TlsPipe(server)];
  },
  async 'guarded-tls'(raw) {
    const server = guardedServer(raw.server, serverOptions);
    const client = guardedClient(raw.client, clientTlsOptions(shopIdentity));
    await Promise.all([once(client.socket, 'secureConnect'), once(server.socket, 'secure')]);
    return [client.toPipe(), server.toPipe()];
  },
};
