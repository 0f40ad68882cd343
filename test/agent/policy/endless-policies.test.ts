import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createReadiness } from '#agent/admin/readiness.ts';
import { createControlPlaneIdentity } from '#agent/identity/control-plane-identity.ts';
import { createIdentityStore } from '#agent/identity/store.ts';
import { PolicyBook } from '#agent/policy/policy-book.ts';
import { systemClock, systemRandom } from '#runtime/system-clock.ts';
import { startFakeControlPlane, type FakeStream } from '#support/fake-control-plane.ts';
import { linesOf } from '#support/rotator-stage.ts';

const partBytes = 100 * 1024;
const pushed = 20 * 1024 * 1024;

test('a control plane that pushes policies without end is told so, and fills nobody', async () => {
  await using controlPlane = await startFakeControlPlane();
  const inForce: number[] = [];
  const book = new PolicyBook({
    onChange(documents) {
      inForce.push(documents.length);
      return { isInForce: true, problem: undefined };
    },
    onApplied: () => undefined,
    emit: () => undefined,
  });
  await runIdentity(controlPlane, book);
  const stream = await controlPlane.nextStream();
  const answered = (version: number): string | undefined => {
    const answer = stream.requests.find((request) => request.kind === 'acknowledge' && request.version === version);
    return answer?.kind === 'acknowledge' ? answer.problem : undefined;
  };
  const json = JSON.stringify({ text: 'x'.repeat(partBytes) });
  const parts = Math.ceil(pushed / partBytes);
  const last = await pushParts(stream, { parts, json });
  await vi.waitFor(() => expect(answered(last)).toBeDefined(), { timeout: 10_000 });
  const problems = Array.from({ length: parts }, (_none, index) => answered(index + 1));
  const refusedAt = problems.indexOf('policies-too-many');
  expect(refusedAt * partBytes).toBeLessThan(9 * 1024 * 1024);
  expect(new Set(problems.slice(refusedAt + 1))).toEqual(new Set(['policies-incomplete']));
  expect(inForce).toEqual([]);

  const policies = {
    ...{ revision: 2, sinceRevision: 0, part: 1, parts: 1, gone: [] },
    documents: [document('a', '{}')],
  };
  await stream.send({ kind: 'policies', version: last + 1, policies });
  await vi.waitFor(() => expect(answered(last + 1)).toBe(''), { timeout: 5_000 });
  expect(inForce).toEqual([1]);
});

const document = (name: string, json: string) => ({ kind: 'AuthorizationPolicy', namespace: 'default', name, json });

/** Parts of one revision that never becomes whole; the version of the last. */
async function pushParts(stream: FakeStream, { parts, json }: { parts: number; json: string }): Promise<number> {
  for (let part = 1; part <= parts; part += 1) {
    const policies = {
      ...{ revision: 1, sinceRevision: 0, part, parts: 1_000, gone: [] },
      documents: [document(`p${part}`, json)],
    };
    await stream.send({ kind: 'policies', version: part, policies });
  }
  return parts;
}

/** The real client side of an agent, with this book. */
async function runIdentity(
  { port, ca }: Awaited<ReturnType<typeof startFakeControlPlane>>,
  book: PolicyBook,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-endless-'));
  const trustBundlePath = join(folder, 'trust-bundle.pem');
  writeFileSync(trustBundlePath, ca.bundlePem);
  const store = createIdentityStore();
  const source = await createControlPlaneIdentity({
    config: {
      ...{ kind: 'control-plane', address: { host: '127.0.0.1', port }, trustBundlePath },
      ...{ joinToken: { kind: 'stdin' }, stateDir: undefined },
    },
    ...{ workload: 'prices', trustDomain: 'shop.example', agentVersion: 'test', upstreams: [], ports: [], store },
    readiness: createReadiness(store, systemClock),
    stdin: linesOf('token-of-prices'),
    onWorkloads: () => undefined,
    onTokenKeys: () => '',
    openPolicies: () =>
      Promise.resolve({
        openStream: () => book.openStream(),
        run: (signal) => new Promise((_none, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      }),
    ...{ clock: systemClock, random: systemRandom, emit: () => undefined },
  });
  const stop = new AbortController();
  const running = source.run(stop.signal).catch(() => undefined);
  onTestFinished(async () => {
    stop.abort(new Error('done'));
    await running;
    rmSync(folder, { recursive: true, force: true });
  });
}
