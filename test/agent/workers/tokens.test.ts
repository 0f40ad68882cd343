import { expect, test } from 'vitest';
import { createReadiness } from '#agent/admin/readiness.ts';
import { parseAgentConfig } from '#agent/config.ts';
import { createIdentityStore } from '#agent/identity/store.ts';
import { TokenCache } from '#agent/tokens/token-cache.ts';
import { tokenWish } from '#agent/tokens/token-wish.ts';
import { WorkerGroup } from '#agent/workers/worker-group.ts';
import { ok, refuse } from '#runtime/result.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { createFakeThreads } from '#support/fake-threads.ts';
import { audience } from '#support/tokens.ts';

function stage(answer: 'issue' | 'refuse') {
  const parsed = parseAgentConfig(
    '{"workload":"cart","trustDomain":"shop.example","identity":{"files":{"dir":"/certs"}},"workers":4}',
  );
  if (!parsed.ok) throw new Error(parsed.reason);
  const clock = createFakeClock(1_000_000);
  const store = createIdentityStore();
  const threads = createFakeThreads();
  const asked: string[] = [];
  const kept = { text: 'abc', issuedAtMs: 0, dueAtMs: Infinity, usableUntilMs: Infinity };
  const tokens = new TokenCache({
    ask(thumbprint) {
      asked.push(thumbprint);
      return Promise.resolve(answer === 'issue' ? ok(kept) : refuse({ problem: 'token-not-issued', detail: 'x' }));
    },
    ...{ clock, random: () => 0.5, maxTokens: 10, onFailed: () => undefined },
  });
  new WorkerGroup({
    config: parsed.value,
    ...{ clock, store, tokens, startThread: threads.startThread, readiness: createReadiness(store, clock) },
    ...{ emit: () => undefined, collect: undefined, onKeysWanted: () => undefined },
  });
  return { threads: threads.all, asked, kept };
}

const wish = tokenWish(audience('prices'), { issuer: undefined, scopes: [] });

test('four workers who want the same token make one question to its issuer (S20)', async () => {
  const { threads, asked, kept } = stage('issue');
  const got = await Promise.all(threads.map(({ mainTokens }) => mainTokens.ask('n', wish)));
  expect(got).toEqual([ok(kept), ok(kept), ok(kept), ok(kept)]);
  expect(asked).toEqual(['n']);
});

test('a refusal reaches the worker with its reason', async () => {
  const { threads } = stage('refuse');
  expect(await threads[0]!.mainTokens.ask('n', wish)).toMatchObject({
    ok: false,
    reason: { problem: 'token-not-issued' },
  });
});
