import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { constants } from 'node:crypto';
import { createServer as createTlsServer, TLSSocket, type SecureContextOptions, type TlsOptions } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import type { Clock } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';
import type { Result } from '#runtime/result.ts';
import { addressKey } from './address-key.ts';
import { writeTo, type ByteStream } from './channel.ts';
import { createConnectionPool, type ConnectionLimit, type ConnectionPool } from './connections.ts';
import { maxMessageBytes, maxOperatorMessageBytes, maxRequestBytes, maxStrangerRequestBytes } from './messages.ts';
import { presentedChain, tls13 } from './pinned-tls.ts';
import { refusalCodes, type Refusal } from './refusal.ts';

/** The gRPC library's door for whoever answers: bytes in, bytes out. Their meaning is in mesh-server.ts and admin.ts. */

const identity = (bytes: Buffer): Buffer => bytes;

/** A caller's verified chain (leaf first, without the root), read once per connection. */
export interface PeerChain {
  readonly chainDer: readonly Buffer[];
}

export interface CallContext {
  /** `192.0.2.1:40000` */
  readonly peerAddress: string;
  /** When TLS verified the client's certificate under our roots; the same object for all calls of one connection. */
  readonly peerChain: PeerChain | undefined;
}
export type UnaryHandler = (bytes: Buffer, call: CallContext) => Promise<Result<Buffer, Refusal>>;
/** Returns when the stream is to end. `signal` aborts when the caller has gone or the server closes. */
export type DuplexHandler = (
  stream: ByteStream,
  call: CallContext & { readonly signal: AbortSignal },
) => Promise<Result<void, Refusal>>;

export interface ServerParts {
  readonly unary: Readonly<Record<string, UnaryHandler>>;
  readonly duplex: Readonly<Record<string, DuplexHandler>>;
  /** A handler threw: the caller hears UNAVAILABLE and nothing else. */
  onFault(error: unknown): void;
  readonly clock: Clock;
}

export interface ByteServer {
  readonly host: string;
  readonly port: number;
  /** From now on new connections see this certificate and these client roots. */
  present(context: SecureContextOptions): void;
  /** No new connections; calls in flight have `graceMs`. */
  close(graceMs: number): Promise<void>;
}

const serverOptions: grpc.ServerOptions = {
  'grpc.enable_channelz': 0,
  'grpc.max_send_message_length': maxMessageBytes,
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
};
/** An agent has one stream open, and asks for a certificate and for tokens beside it: at 32 at a time the rest waits in it. */
const verifiedOptions: grpc.ServerOptions = {
  ...serverOptions,
  'grpc.max_receive_message_length': maxRequestBytes,
  'grpc.max_concurrent_streams': 32,
  'grpc.max_connection_idle_ms': 600_000,
  'grpc-node.max_session_memory': 16, // MB
};
/** Whoever may open our Unix socket is believed. */
const operatorOptions: grpc.ServerOptions = {
  ...serverOptions,
  'grpc.max_send_message_length': maxOperatorMessageBytes,
  'grpc.max_receive_message_length': maxOperatorMessageBytes,
};
/** Whoever has no certificate asks for one, once: all strangers together hold 16 MiB of unfinished requests at most. */
const strangerOptions: grpc.ServerOptions = {
  ...serverOptions,
  'grpc.max_receive_message_length': maxStrangerRequestBytes,
  'grpc.max_concurrent_streams': 2,
  'grpc-node.max_session_memory': 1, // MB
};
/** Sockets whose TLS handshake is not over, by address. */
const handshakeLimit: ConnectionLimit = { total: 256, perKey: 128 };
/** Connections without a verified certificate, by address. */
const strangerLimit: ConnectionLimit = { total: 256, perKey: 64 };
/** Connections with one, by its names. While an agent's SVID rotates it has two. */
const verifiedLimit: ConnectionLimit = { total: 4096, perKey: 512 };
/** What a stranger's connection has for its call, all in all. */
const strangerMs = 8000;
/** No session is resumed: each connection is judged by a full handshake. */
const secureOptions = constants.SSL_OP_NO_TICKET;
const tlsOptions = {
  ...tls13,
  secureOptions,
  ALPNProtocols: ['h2'],
  requestCert: true,
  rejectUnauthorized: false,
  handshakeTimeout: 5000,
} as const satisfies TlsOptions;
/** A request must be complete this soon after its stream opened. */
const firstMessageMs = 5000;
/** Then what has arrived is read first: if this process stood still, its callers were not slow. */
const unreadMs = 100;

export type ListenAt = { readonly host: string; readonly port: number } | { readonly path: string };

/**
 * Serves gRPC. With `context` over TLS 1.3: the sockets are ours, so that certificates swap live, handshakes have a deadline and
 * each peer is read once. Clients without a certificate are let in: handlers judge. Without `context`: a Unix socket.
 */
export async function startServer(
  listen: ListenAt,
  context: SecureContextOptions | undefined,
  parts: ServerParts,
): Promise<ByteServer> {
  const { clock } = parts;
  const closing = new AbortController();
  const sockets = new Set<Socket>();
  const peers = new Map<string, PeerChain>();
  const handshakes = createConnectionPool(handshakeLimit, clock);
  const strangers = createConnectionPool(strangerLimit, clock);
  const verified = createConnectionPool(verifiedLimit, clock);
  const contextOf = (call: ServerCall): CallContext => {
    const peerAddress = call.getPeer();
    return { peerAddress, peerChain: peers.get(peerAddress) };
  };
  const services: Services = { ...parts, contextOf, strangers, closing: closing.signal };
  const doors = {
    verified: openDoor(context === undefined ? operatorOptions : verifiedOptions, services),
    strangers: openDoor(strangerOptions, services),
  };
  function accept(socket: Socket): void {
    socket.on('error', () => undefined).setNoDelay();
    if (!(socket instanceof TLSSocket)) return doors.verified.inject(socket);
    const peerAddress = addressOf(socket);
    const leaf = socket.authorized ? socket.getPeerX509Certificate() : undefined;
    handshakes.release(peerAddress);
    if (leaf === undefined) return acceptStranger(socket, peerAddress);
    verified.admit(socket, { peerAddress, key: leaf.subjectAltName ?? '' });
    remember(peerAddress, { chainDer: presentedChain(leaf) }, socket);
    doors.verified.inject(socket);
  }
  function acceptStranger(socket: TLSSocket, peerAddress: string): void {
    strangers.admit(socket, { peerAddress, key: addressKey(peerAddress) });
    const end = clock.timer(strangerMs, () => socket.destroy());
    socket.once('close', () => end.cancel());
    doors.strangers.inject(socket);
  }
  function remember(address: string, chain: PeerChain, socket: Socket): void {
    peers.set(address, chain);
    socket.once('close', () => {
      if (peers.get(address) === chain) peers.delete(address);
    });
  }
  const tlsServer = context === undefined ? undefined : createTlsServer({ ...tlsOptions, ...context }, accept);
  tlsServer?.on('tlsClientError', (_error, socket) => socket.destroy()); // Node leaves that to us
  const listener = tlsServer ?? createServer(accept);
  listener.on('connection', (socket: Socket) => {
    sockets.add(socket.once('close', () => sockets.delete(socket)));
    const peerAddress = addressOf(socket);
    if (context !== undefined) handshakes.admit(socket, { peerAddress, key: addressKey(peerAddress) });
  });
  listener.listen(listen);
  await once(listener, 'listening').catch((cause: unknown) => {
    const where = 'path' in listen ? listen.path : `${listen.host}:${listen.port}`;
    throw new Fault('LISTEN_FAILED', `cannot listen on ${where}`, { cause });
  });
  const bound = listener.address();
  return {
    host: typeof bound === 'object' && bound !== null ? bound.address : '',
    port: typeof bound === 'object' && bound !== null ? bound.port : 0,
    present: (next) => tlsServer?.setSecureContext({ ...tls13, secureOptions, ...next }),
    async close(graceMs) {
      closing.abort();
      const closed = once(listener, 'close');
      listener.close();
      doors.verified.drain(graceMs);
      doors.strangers.drain(graceMs);
      const cut = clock.timer(graceMs, () => sockets.forEach((socket) => socket.destroy()));
      await closed;
      cut.cancel();
      doors.verified.shutdown();
      doors.strangers.shutdown();
    },
  };
}

/** As gRPC names the peer of a call. */
const addressOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress}:${remotePort}`;

type ServerCall = grpc.ServerUnaryCall<Buffer, Buffer> | grpc.ServerDuplexStream<Buffer, Buffer>;

interface Services extends ServerParts {
  contextOf(call: ServerCall): CallContext;
  readonly strangers: ConnectionPool;
  readonly closing: AbortSignal;
}

/** The same services, within the limits for those who come in here. */
interface Door {
  inject(socket: Socket): void;
  drain(graceMs: number): void;
  shutdown(): void;
}

function openDoor(options: grpc.ServerOptions, services: Services): Door {
  const server = new grpc.Server({ ...options, interceptors: [firstMessageDeadline(services.clock)] });
  for (const [path, handler] of Object.entries(services.unary)) {
    server.register(path, serveUnary(handler, services), identity, identity, 'unary');
  }
  for (const [path, handler] of Object.entries(services.duplex)) {
    server.register(path, serveDuplex(handler, services), identity, identity, 'bidi');
  }
  const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  return {
    inject: (socket) => injector.injectConnection(socket),
    drain: (graceMs) => injector.drain(graceMs),
    shutdown: () => server.forceShutdown(),
  };
}

function serveUnary(
  handler: UnaryHandler,
  { contextOf, strangers, onFault }: Services,
): grpc.handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    const context = contextOf(call);
    strangers.atWork(context.peerAddress, handler(call.request, context)).then(
      (outcome) => (outcome.ok ? callback(null, outcome.value) : callback(toStatus(outcome.reason))),
      (error: unknown) => {
        onFault(error);
        callback(unavailable);
      },
    );
  };
}

function serveDuplex(
  handler: DuplexHandler,
  { contextOf, onFault, closing }: Services,
): grpc.handleBidiStreamingCall<Buffer, Buffer> {
  return (call) => {
    const gone = new AbortController();
    (call as NodeJS.EventEmitter).once('cancelled', () => gone.abort());
    const signal = AbortSignal.any([gone.signal, closing]);
    const stream: ByteStream = { send: (bytes) => writeTo(call, bytes), messages: readCall(call) };
    handler(stream, { ...contextOf(call), signal }).then(
      (outcome) => {
        if (outcome.ok) call.end();
        else call.emit('error', toStatus(outcome.reason));
      },
      (error: unknown) => {
        onFault(error);
        call.emit('error', unavailable);
      },
    );
  };
}

/** Ends when the caller has said all or has gone: how a caller leaves is no fault of ours. */
async function* readCall(call: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  try {
    yield* call;
  } catch {
    return;
  }
}

const unavailable: grpc.StatusObject = {
  code: grpc.status.UNAVAILABLE,
  details: 'unavailable',
  metadata: new grpc.Metadata(),
};

function toStatus({ code, reason, retryAfterMs }: Refusal): grpc.StatusObject {
  const metadata = new grpc.Metadata();
  if (retryAfterMs !== undefined) metadata.set('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  return { code: refusalCodes[code], details: reason, metadata };
}

/** A stream whose first message does not arrive in time is ended: slow requests hold nothing. */
function firstMessageDeadline(clock: Clock): grpc.ServerInterceptor {
  return (_method, call) => {
    const end = (): void => call.sendStatus({ code: grpc.status.DEADLINE_EXCEEDED, details: 'request-too-slow' });
    let deadline = clock.timer(firstMessageMs, () => {
      deadline = clock.timer(unreadMs, end);
    });
    return new grpc.ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMessage(message, pass) {
            deadline.cancel();
            pass(message);
          },
          onCancel: () => deadline.cancel(),
        }),
    });
  };
}
