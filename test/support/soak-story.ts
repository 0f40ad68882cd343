import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { runFullSpeed } from './full-speed.ts';
import { holdGrpcStreams } from './grpc-streams.ts';
import { runLoad } from './load.ts';
import { figuresOf, type ProcessFigures } from './process-figures.ts';
import { startStandaloneMesh } from './standalone-mesh.ts';

export interface SoakStory {
  readonly svidLife: string;
  readonly forMs: number;
  /** HTTP connections that ask as fast as they are answered. */
  readonly connections: number;
  /** Of each kind: WebSockets, gRPC streams and TCP connections, alive throughout. */
  readonly longLived: number;
  readonly samples: number;
}

/** What one agent held at one moment. */
export interface SoakSample extends ProcessFigures {
  readonly sessions: number;
}

export interface SoakFigures {
  readonly requests: number;
  readonly rotations: readonly number[];
  /** Means over the second and over the last quarter of the run, per agent. */
  readonly cart: { readonly early: SoakSample; readonly late: SoakSample };
  readonly echo: { readonly early: SoakSample; readonly late: SoakSample };
}

/** Full-speed and long-lived traffic of every kind under short certificates: after its warm-up an agent holds no more than before. */
export async function soakStory(story: SoakStory): Promise<SoakFigures> {
  await using mesh = await startStandaloneMesh(story.svidLife, { whenExpired: 'end' });
  const { forMs, longLived: count, samples } = story;
  const fullSpeed = runFullSpeed(mesh.ports.http, story.connections);
  const held = Promise.all([
    runLoad({
      forMs,
      http: { port: mesh.ports.http, perSecond: 20 },
      webSockets: { port: mesh.ports.http, count },
      tcp: { port: mesh.ports.tcp, count },
    }),
    holdGrpcStreams({ forMs, port: mesh.ports.grpc, count }),
  ]);
  const taken = { cart: [] as SoakSample[], echo: [] as SoakSample[] };
  for (let sample = 0; sample < samples; sample += 1) {
    await sleep(forMs / samples);
    for (const name of ['cart', 'echo'] as const) {
      const { counters } = await mesh[name].status();
      taken[name].push({ ...figuresOf(mesh[name].pid), sessions: counters.sessionsOpen });
    }
  }
  const [load, grpc] = await held;
  await fullSpeed.stop();
  const [cart, echo] = await Promise.all([mesh.cart.status(), mesh.echo.status()]);
  expect({
    failures: [...fullSpeed.failures, ...load.failures].slice(0, 5),
    resets: [...load.resets, ...grpc.resets].slice(0, 5),
    damaged: [...load.damaged, ...grpc.damaged].slice(0, 5),
  }).toEqual({ failures: [], resets: [], damaged: [] });
  return {
    requests: fullSpeed.requests + load.requests,
    rotations: [cart.rotations, echo.rotations],
    cart: quarters(taken.cart),
    echo: quarters(taken.echo),
  };
}

/** No growth: what a busy process holds goes up and down by a few megabytes with its garbage. */
export function expectNoGrowth({ early, late }: SoakFigures['cart']): void {
  expect(late.anonMb, 'anonymous memory, MB').toBeLessThan(early.anonMb * 1.1 + 8);
  expect(late.handles, 'open files').toBeLessThan(early.handles * 1.1 + 8);
  expect(late.sessions, 'sessions').toBeLessThan(early.sessions + 3);
}

function quarters(samples: readonly SoakSample[]): SoakFigures['cart'] {
  const quarter = Math.floor(samples.length / 4);
  return { early: mean(samples.slice(quarter, 2 * quarter)), late: mean(samples.slice(-quarter)) };
}

function mean(samples: readonly SoakSample[]): SoakSample {
  const of = (pick: (sample: SoakSample) => number): number =>
    Math.round((samples.reduce((sum, sample) => sum + pick(sample), 0) / samples.length) * 10) / 10;
  return {
    rssMb: of((sample) => sample.rssMb),
    anonMb: of((sample) => sample.anonMb),
    handles: of((sample) => sample.handles),
    sessions: of((sample) => sample.sessions),
  };
}
