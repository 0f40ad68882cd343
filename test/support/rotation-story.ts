import { expect } from 'vitest';
import { startEchoMesh } from './echo-mesh.ts';
import { runLoad, type LoadResult } from './load.ts';

export interface RotationStory {
  readonly svidLife: string;
  readonly forMs: number;
  readonly perSecond: number;
  readonly longLived: number;
  /** At the least, per workload. */
  readonly rotations: number;
}

/**
 * A mesh under steady HTTP load, with WebSockets and TCP connections that are older than any certificate at the end.
 * Nothing may fail, counted at the client and by the mesh itself.
 */
export async function rotationStory(story: RotationStory): Promise<LoadResult> {
  await using mesh = await startEchoMesh(story.svidLife);
  const result = await runLoad({
    forMs: story.forMs,
    http: { port: mesh.ports.http, perSecond: story.perSecond },
    webSockets: { port: mesh.ports.http, count: story.longLived },
    tcp: { port: mesh.ports.tcp, count: story.longLived },
  });
  const { code, summary } = await mesh.stop();
  expect({ failures: result.failures.slice(0, 5), resets: result.resets, damaged: result.damaged }).toEqual({
    failures: [],
    resets: [],
    damaged: [],
  });
  expect(summary).toMatchObject({ failed: 0, resets: 0 });
  expect(summary.requests).toBeGreaterThanOrEqual(result.requests);
  for (const { name, rotations } of summary.workloads) {
    expect(rotations, `rotations of ${name}`).toBeGreaterThanOrEqual(story.rotations);
  }
  expect(code).toBe(0);
  expect(result.requests).toBeGreaterThanOrEqual((story.perSecond * story.forMs * 0.95) / 1000);
  return result;
}
