import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import * as grpc from '@grpc/grpc-js';
import type { Clock } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';
import { refuse, type Result } from '#runtime/result.ts';
import { maxMessageBytes, maxOperatorMessageBytes } from './messages.ts';
import { connectPinned, type PinnedServer } from './pinned-tls.ts';
import { toRefusal, unreachableFault, type Refusal } from './refusal.ts';

/** The gRPC library's door for callers: bytes in, bytes out. Their meaning is in mesh-client.ts and admin.ts. */

const identity = (bytes: Buffer): Buffer => bytes;

const channelOptions: grpc.ChannelOptions = {
  'grpc.enable_http_proxy': 0, // an app's HTTP_PROXY is not for us
  'grpc.service_config_disable_resolution': 1, // DNS gives an address, never settings
  'grpc.enable_retries': 0, // whoever calls decides when to try again
  'grpc.enable_channelz': 0,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5000,
  'grpc.max_send_message_length': maxMessageBytes,
  'grpc.max_receive_message_length': maxMessageBytes,
};

export interface CallOptions {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** One gRPC stream from the client's side: `messages` ends with the server's goodbye, and throws a Fault on any other end. */
export interface ByteStream {
  /** Resolves when the bytes were handed over; waits while the peer does not read. Does nothing once the stream is over. */
  send(bytes: Buffer): Promise<void>;
  readonly messages: AsyncIterable<Buffer>;
}

export interface Channel {
  unary(path: string, bytes: Buffer, options: CallOptions): Promise<Result<Buffer, Refusal>>;
  duplex(path: string, signal: AbortSignal): ByteStream;
  close(): void;
}

/** Certificate checks are ours, not the library's: see `connectPinned`. */
class PinnedCredentials extends grpc.ChannelCredentials {
  readonly #connect: (socket: Socket) => Promise<Socket>;

  constructor(connect: (socket: Socket) => Promise<Socket>) {
    super();
    this.#connect = connect;
  }
  override _isSecure(): boolean {
    return true;
  }
  override _equals(other: grpc.ChannelCredentials): boolean {
    return other === this;
  }
  override _createSecureConnector(): grpc.experimental.SecureConnector {
    return {
      connect: async (socket) => ({ socket: await this.#connect(socket), secure: true }),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => grpc.CallCredentials.createEmpty(),
      destroy: () => undefined,
    };
  }
}

/** A lazy channel to `host:port`; nothing is dialled before the first call. */
export function openPinnedChannel(address: string, pinned: PinnedServer): Channel {
  let distrust: Fault | undefined; // why the last handshake failed: the library keeps only its text
  const credentials = new PinnedCredentials(async (socket) => {
    try {
      const secured = await connectPinned(socket, pinned);
      distrust = undefined;
      return secured;
    } catch (error) {
      distrust = error instanceof Fault ? error : undefined;
      throw error;
    }
  });
  return channelOver(new grpc.Client(`dns:${address}`, credentials, channelOptions), {
    clock: pinned.clock,
    faultOf: (cause) => distrust ?? unreachableFault(address, cause),
  });
}

/** A channel to a Unix socket; who may open the socket file is the only protection. */
export function openUnixChannel(path: string, clock: Clock): Channel {
  const options = {
    ...channelOptions,
    'grpc.max_send_message_length': maxOperatorMessageBytes,
    'grpc.max_receive_message_length': maxOperatorMessageBytes,
  };
  return channelOver(new grpc.Client(`unix:${path}`, grpc.credentials.createInsecure(), options), {
    clock,
    faultOf: (cause) => unreachableFault(path, cause),
  });
}

interface ChannelParts {
  readonly clock: Clock;
  faultOf(cause: unknown): Fault;
}

function channelOver(client: grpc.Client, { clock, faultOf }: ChannelParts): Channel {
  const failure = (error: grpc.ServiceError): Result<never, Refusal> => {
    const retryAfter = error.metadata?.get('retry-after')[0]?.toString();
    const refusal = toRefusal({ code: error.code, details: error.details, retryAfter });
    if (refusal !== undefined) return refuse(refusal);
    throw faultOf(error);
  };
  return {
    unary(path, bytes, { deadlineMs, signal }) {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<Result<Buffer, Refusal>>();
      const call = client.makeUnaryRequest(path, identity, identity, bytes, (error, reply) => {
        if (signal.aborted) return reject(signal.reason);
        if (error === null && reply !== undefined) return resolve({ ok: true, value: reply });
        try {
          resolve(failure(error as grpc.ServiceError));
        } catch (fault) {
          reject(fault);
        }
      });
      const cancel = (): void => call.cancel();
      signal.addEventListener('abort', cancel, { once: true });
      const deadline = clock.timer(deadlineMs, cancel);
      return promise.finally(() => {
        deadline.cancel();
        signal.removeEventListener('abort', cancel);
      });
    },
    duplex(path, signal) {
      signal.throwIfAborted();
      const call = client.makeBidiStreamRequest(path, identity, identity);
      const cancel = (): void => call.cancel();
      signal.addEventListener('abort', cancel, { once: true });
      call.once('close', () => signal.removeEventListener('abort', cancel));
      call.on('error', () => undefined); // told to whoever reads `messages`
      return { send: (bytes) => writeTo(call, bytes), messages: readCall(call, { signal, failure }) };
    },
    close: () => client.close(),
  };
}

async function* readCall(
  call: grpc.ClientDuplexStream<Buffer, Buffer>,
  { signal, failure }: { signal: AbortSignal; failure: (error: grpc.ServiceError) => Result<never, Refusal> },
): AsyncIterable<Buffer> {
  try {
    for await (const message of call) yield message as Buffer;
  } catch (error) {
    signal.throwIfAborted();
    const outcome = failure(error as grpc.ServiceError);
    if (!outcome.ok) {
      throw new Fault('CONTROL_PLANE_REFUSED', `the control plane ended the stream: ${outcome.reason.reason}`, {
        cause: error,
      });
    }
  } finally {
    call.cancel(); // whoever stops reading is done with the stream
  }
}

/** Waits for room when the library's buffer is full, or for the end of the stream. */
export async function writeTo(call: Writable, bytes: Buffer): Promise<void> {
  if (!call.writable || call.write(bytes)) return;
  const gone = new AbortController();
  const end = (): void => gone.abort();
  call.once('close', end).once('cancelled', end);
  await once(call, 'drain', { signal: gone.signal }).catch(() => undefined);
  call.off('close', end).off('cancelled', end);
}
