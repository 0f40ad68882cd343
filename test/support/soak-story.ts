import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { runFullSpeed } from './full-speed.ts';
import { holdGrpcStreams } from './grpc-streams.ts';
import { runLoad } from './load.ts';
import { expectNoGrowth as expectNoMore, figuresOf, type ProcessFigures } from './process-figures.ts';
import { startStandaloneMesh, type StandaloneMesh } from './standalone-mesh.ts';

export interface SoakStory {
  readonly svidLife: string;
  readonly warmUpMs: number;
  readonly forMs: number;
  /** HTTP connections that ask as fast as they are answered. */
  readonly connections: number;
  /** Of each kind: WebSockets, gRPC streams and TCP connections, alive throughout a phase. */
  readonly longLived: number;
}

/** What one agent holds at one moment. */
export interface SoakSample extends ProcessFigures {
  readonly sessions: number;
}

export interface SoakFigures {
  readonly requests: number;
  readonly rotations: readonly number[];
  /** Once idle after the warm-up, and once idle after the run. */
  readonly cart: { readonly before: SoakSample; readonly after: SoakSample };
  readonly echo: { readonly before: SoakSample; readonly after: SoakSample };
}

/** An agent that has been idle for 10 s collects its garbage, and looks every 10 s whether it is idle. */
const collectedMs = 23_000;

/**
 * Full-speed and long-lived traffic of every kind under short certificates, twice: what an agent holds after the long
 * run, once it is idle and has collected its garbage, is what it held after the warm-up.
 */
export async function soakStory(story: SoakStory): Promise<SoakFigures> {
  await using mesh = await startStandaloneMesh(story.svidLife, { whenExpired: 'end' });
  const sample = async (name: 'cart' | 'echo'): Promise<SoakSample> => {
    const { counters } = await mesh[name].status();
    return { ...figuresOf(mesh[name].pid), sessions: counters.sessionsOpen };
  };
  await runTraffic(mesh, story, story.warmUpMs);
  await sleep(collectedMs);
  const before = { cart: await sample('cart'), echo: await sample('echo') };
  const requests = await runTraffic(mesh, story, story.forMs);
  await sleep(collectedMs);
  const after = { cart: await sample('cart'), echo: await sample('echo') };
  const [cart, echo] = await Promise.all([mesh.cart.status(), mesh.echo.status()]);
  return {
    requests,
    rotations: [cart.rotations, echo.rotations],
    cart: { before: before.cart, after: after.cart },
    echo: { before: before.echo, after: after.echo },
  };
}

/** The number of requests that were answered; nothing may fail. */
async function runTraffic(
  { ports }: StandaloneMesh,
  { connections, longLived: count }: SoakStory,
  forMs: number,
): Promise<number> {
  const fullSpeed = runFullSpeed(ports.http, connections);
  const [load, grpc] = await Promise.all([
    runLoad({
      forMs,
      http: { port: ports.http, perSecond: 20 },
      webSockets: { port: ports.http, count },
      tcp: { port: ports.tcp, count },
    }),
    holdGrpcStreams({ forMs, port: ports.grpc, count }),
  ]);
  await fullSpeed.stop();
  expect({
    failures: [...fullSpeed.failures, ...load.failures].slice(0, 5),
    resets: [...load.resets, ...grpc.resets].slice(0, 5),
    damaged: [...load.damaged, ...grpc.damaged].slice(0, 5),
  }).toEqual({ failures: [], resets: [], damaged: [] });
  return fullSpeed.requests + load.requests;
}

/** Neither of memory nor of open files nor of sessions. */
export function expectNoGrowth({ before, after }: SoakFigures['cart']): void {
  expectNoMore('agent', { before, after });
  expect(after.sessions, 'sessions').toBeLessThan(before.sessions + 3);
}
