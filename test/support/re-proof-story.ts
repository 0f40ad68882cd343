import { expect } from 'vitest';
import { holdGrpcStreams } from './grpc-streams.ts';
import { runLoad } from './load.ts';
import { startStandaloneMesh } from './standalone-mesh.ts';

export interface ReProofStory {
  readonly svidLife: string;
  readonly forMs: number;
  /** Of each kind: WebSockets, gRPC streams and TCP connections. */
  readonly longLived: number;
  /** At the least, at each end. */
  readonly rotations: number;
}

export interface ReProofFigures {
  readonly webSocketMessages: number;
  readonly grpcMessages: number;
  readonly tcpLines: number;
  readonly rotations: readonly number[];
  readonly reProofs: readonly number[];
}

/**
 * Streams that are older than any certificate at their end, under `whenExpired: end`: each certificate of both ends is
 * proved anew on the sessions they run on, and not one stream is reset.
 */
export async function reProofStory(story: ReProofStory): Promise<ReProofFigures> {
  await using mesh = await startStandaloneMesh(story.svidLife, { whenExpired: 'end' });
  const { forMs, longLived: count } = story;
  const [load, grpc] = await Promise.all([
    runLoad({
      forMs,
      http: { port: mesh.ports.http, perSecond: 20 },
      webSockets: { port: mesh.ports.http, count },
      tcp: { port: mesh.ports.tcp, count },
    }),
    holdGrpcStreams({ forMs, port: mesh.ports.grpc, count }),
  ]);
  const [cart, echo] = await Promise.all([mesh.cart.status(), mesh.echo.status()]);
  expect({
    failures: load.failures.slice(0, 5),
    resets: [...load.resets, ...grpc.resets].slice(0, 5),
    damaged: [...load.damaged, ...grpc.damaged].slice(0, 5),
    resetsOfTheAgent: cart.counters.resets,
    proofsFailed: [cart.counters.proofsFailed, echo.counters.proofsFailed],
  }).toEqual({ failures: [], resets: [], damaged: [], resetsOfTheAgent: 0, proofsFailed: [0, 0] });
  for (const [end, other] of [
    [cart, echo],
    [echo, cart],
  ] as const) {
    expect(end.rotations, `rotations of ${end.workload}`).toBeGreaterThanOrEqual(story.rotations);
    // The first may have come before the streams, the last after them.
    expect(other.counters.reProofs, `proved to ${other.workload}`).toBeGreaterThanOrEqual(end.rotations - 2);
  }
  const everySecond = 1000 / 100; // one message each 100 ms
  const atLeast = (count * (forMs / 1000) * everySecond) / 2;
  for (const messages of [load.messages, grpc.messages, load.lines]) expect(messages).toBeGreaterThan(atLeast);
  return {
    webSocketMessages: load.messages,
    grpcMessages: grpc.messages,
    tcpLines: load.lines,
    rotations: [cart.rotations, echo.rotations],
    reProofs: [cart.counters.reProofs, echo.counters.reProofs],
  };
}
