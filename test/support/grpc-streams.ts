import { Client, credentials, type ClientDuplexStream } from '@grpc/grpc-js';

/** Counted at the client. Everything but `messages` must stay empty. */
export interface GrpcStreamsResult {
  messages: number;
  /** Streams that ended before we ended them. */
  readonly resets: string[];
  /** Messages lost, doubled, changed or out of order. */
  readonly damaged: string[];
}

export interface GrpcStreamsPlan {
  readonly forMs: number;
  /** On loopback, where an app finds `echo.Echo/Talk`. */
  readonly port: number;
  readonly count: number;
}

const everyMs = 100;
const streamsPerConnection = 5;
const asIs = (bytes: Buffer): Buffer => bytes;

/** Streams in both directions that live through the whole run and have each message echoed. */
export async function holdGrpcStreams({ forMs, port, count }: GrpcStreamsPlan): Promise<GrpcStreamsResult> {
  const result: GrpcStreamsResult = { messages: 0, resets: [], damaged: [] };
  const until = performance.now() + forMs;
  const clients = Array.from({ length: Math.ceil(count / streamsPerConnection) }, () => {
    const options = { 'grpc.use_local_subchannel_pool': 1 }; // a connection of its own
    return new Client(`127.0.0.1:${port}`, credentials.createInsecure(), options);
  });
  const streams = Array.from({ length: count }, (_, index) => {
    const client = clients[index % clients.length]!;
    return holdStream(client.makeBidiStreamRequest('/echo.Echo/Talk', asIs, asIs), index, { until, result });
  });
  await Promise.all(streams);
  for (const client of clients) client.close();
  return result;
}

function holdStream(
  stream: ClientDuplexStream<Buffer, Buffer>,
  index: number,
  { until, result }: { until: number; result: GrpcStreamsResult },
): Promise<void> {
  return new Promise((resolve) => {
    let sent = 0;
    let got = 0;
    let ours = false;
    const content = (number: number): string => `${index} ${number} ${'g'.repeat((number * 41) % 4000)}`;
    const timer = setInterval(() => {
      if (performance.now() < until) stream.write(Buffer.from(content((sent += 1))));
      else if (got === sent && !ours) {
        ours = true;
        stream.end();
      } else if (performance.now() > until + 5_000) stream.cancel();
    }, everyMs);
    stream.on('data', (message: Buffer) => {
      got += 1;
      result.messages += 1;
      if (message.toString() !== content(got)) result.damaged.push(`gRPC stream ${index} message ${got}`);
    });
    stream.on('error', () => undefined); // 'status' tells
    stream.on('status', ({ code, details }) => {
      clearInterval(timer);
      if (!ours || code !== 0) {
        const after = `after ${got} of ${sent} messages`;
        result.resets.push(`${new Date().toISOString()} gRPC stream ${index}: ${code} ${details} ${after}`);
      }
      resolve();
    });
  });
}
