import { expect, test } from 'vitest';
import type { AskToken, KeptToken, TokenLack } from '#agent/tokens/kept-token.ts';
import { TokenCache, type TokenFailure } from '#agent/tokens/token-cache.ts';
import { tokenWish } from '#agent/tokens/token-wish.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { audience } from '#support/tokens.ts';
import { until } from '#support/until.ts';

const lifeMs = 60_000;
const wishFor = (name: string) => tokenWish(audience(name), { issuer: undefined, scopes: [] });
const prices = wishFor('prices');
const down: AskToken = () => Promise.resolve(refuse({ problem: 'no-token', detail: 'DOWN' }));

function stage({ maxTokens = 100 } = {}) {
  const clock = createFakeClock(1_000_000);
  const asked: string[] = [];
  const failures: TokenFailure[] = [];
  let answer: AskToken = () => {
    const issuedAtMs = clock.now();
    const times = { issuedAtMs, dueAtMs: issuedAtMs + lifeMs * 0.7, usableUntilMs: issuedAtMs + lifeMs };
    return Promise.resolve(ok({ text: `token ${asked.length}`, ...times }));
  };
  const cache = new TokenCache({
    clock,
    random: () => 0.5,
    maxTokens,
    onFailed: (failure) => void failures.push(failure),
    ask(thumbprint, wish) {
      asked.push(`${thumbprint} ${wish.audience}`);
      return answer(thumbprint, wish);
    },
  });
  return { clock, cache, asked, failures, answerBy: (next: AskToken) => void (answer = next) };
}

test('a hundred who want the same token at once make one question (S20)', async () => {
  const { cache, asked } = stage();
  const got = await Promise.all(Array.from({ length: 100 }, () => cache.obtain('n', prices, 1_000)));
  expect(new Set(got.map((each) => each.ok && each.value.text))).toEqual(new Set(['token 1']));
  expect(asked).toEqual(['n prices']);
});

test('scopes in another order are the same token; other scopes, certificates and issuers are others', async () => {
  const { cache, asked } = stage();
  for (const scopes of [['a', 'b'], ['b', 'a', 'a'], ['a']]) {
    await cache.obtain('n', tokenWish(audience('prices'), { issuer: undefined, scopes }), 1_000);
  }
  await cache.obtain('n+1', prices, 1_000);
  await cache.obtain('n', tokenWish(audience('prices'), { issuer: 'other', scopes: [] }), 1_000);
  expect(asked.length).toBe(4);
});

test('the successor is fetched ahead of need, and nobody waits for it (S52)', async () => {
  const { cache, clock, asked } = stage();
  await cache.obtain('n', prices, 1_000);
  await clock.advance(lifeMs * 0.69);
  expect(cache.find('n', prices)?.text).toBe('token 1');
  expect(asked.length).toBe(1);
  await clock.advance(lifeMs * 0.02);
  expect(cache.find('n', prices)?.text).toBe('token 1');
  await until(() => cache.find('n', prices)?.text === 'token 2');
  expect(asked.length).toBe(2);
});

test('a token that nobody uses is not renewed', async () => {
  const { cache, clock, asked } = stage();
  await cache.obtain('n', prices, 1_000);
  await clock.advance(lifeMs * 5);
  expect(asked.length).toBe(1);
  expect(cache.find('n', prices)).toBeUndefined();
});

test('the last good one serves until its end while there is no successor, which is asked for ever more rarely', async () => {
  const { cache, clock, asked, failures, answerBy } = stage();
  await cache.obtain('n', prices, 1_000);
  answerBy(down);
  for (let second = 1; second < lifeMs / 1_000; second += 1) {
    await clock.advance(1_000);
    expect(cache.find('n', prices)?.text).toBe('token 1');
  }
  expect(failures.length).toBeGreaterThan(2);
  expect(failures.length).toBeLessThan(10);
  expect(failures.at(-1)).toMatchObject({ problem: 'no-token', detail: 'DOWN', failures: failures.length });
  await clock.advance(1_000);
  expect(cache.find('n', prices)).toBeUndefined();
  expect(asked.length).toBe(failures.length + 1);
});

test('who waits gets the token of a later attempt, if that comes in time', async () => {
  const { cache, clock, answerBy, asked } = stage();
  const good = { text: 'late', issuedAtMs: 0, dueAtMs: Infinity, usableUntilMs: Infinity };
  answerBy((...question) => (asked.length < 3 ? down(...question) : Promise.resolve(ok(good))));
  const waiting = cache.obtain('n', prices, 3_000);
  await clock.advance(1_000);
  expect(await waiting).toEqual(ok(good));
});

test.each<[string, AskToken, string]>([
  ['does not answer', () => new Promise(() => undefined), 'no-token'],
  ['is down', down, 'no-token'],
  [
    'refuses',
    () => Promise.resolve(refuse({ problem: 'token-not-issued', detail: 'invalid_target' })),
    'token-not-issued',
  ],
  ['breaks', () => Promise.resolve(refuse({ problem: 'token-unusable', detail: 'malformed' })), 'token-unusable'],
])('with an issuer that %s whoever waits is told why, in time', async (_how, answer, reason) => {
  const { cache, clock, answerBy } = stage();
  answerBy(answer);
  let told: Result<KeptToken, TokenLack['problem']> | undefined;
  void cache.obtain('n', prices, 1_000).then((result) => (told = result));
  await clock.advance(1_000);
  expect(told).toEqual(refuse(reason));
  expect(clock.waiting()).toBe(0);
});

test('ten thousand audiences are not kept: what does not fit is refused, what is in use stays (A70)', async () => {
  const { cache, asked } = stage({ maxTokens: 50 });
  await cache.obtain('n', prices, 1_000);
  const wishes = Array.from({ length: 10_000 }, (_, at) => wishFor(`a${at}`));
  const got = await Promise.all(wishes.map((wish) => cache.obtain('n', wish, 1_000)));
  expect(got.filter((each) => each.ok).length).toBe(49);
  expect(got.find((each) => !each.ok)).toEqual(refuse('too-many-tokens'));
  expect(asked.length).toBe(50);
  expect(cache.find('n', prices)?.text).toBe('token 1');
});

test('dead tokens make room', async () => {
  const { cache, clock } = stage({ maxTokens: 2 });
  await cache.obtain('n', prices, 1_000);
  await cache.obtain('n', wishFor('a'), 1_000);
  await clock.advance(lifeMs);
  expect((await cache.obtain('n', wishFor('b'), 1_000)).ok).toBe(true);
});

test('what is in use is got for the next certificate too, and nothing else (S52)', async () => {
  const { cache, clock, asked } = stage();
  await cache.obtain('n', wishFor('idle'), 1_000);
  await clock.advance(lifeMs);
  await cache.obtain('n', prices, 1_000);
  await cache.prepare('n+1', 1_000);
  expect(asked).toEqual(['n idle', 'n prices', 'n+1 prices']);
  expect(cache.find('n+1', prices)).toBeDefined();
});

test('who asks for a successor that is due waits for it, and gets the last good one where there is none', async () => {
  const { cache, clock, answerBy } = stage();
  await cache.obtain('n', prices, 1_000);
  expect(await cache.renewed('n', prices, 1_000)).toMatchObject({ value: { text: 'token 1' } });
  await clock.advance(lifeMs * 0.75);
  expect(await cache.renewed('n', prices, 1_000)).toMatchObject({ value: { text: 'token 2' } });
  await clock.advance(lifeMs * 0.75);
  answerBy(down);
  expect(await cache.renewed('n', prices, 1_000)).toMatchObject({ value: { text: 'token 2' } });
});
