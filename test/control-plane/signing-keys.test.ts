import { expect, test } from 'vitest';
import { asked, openStsStage, ringTimes, type StsStage } from '#support/sts-stage.ts';

const address = '127.0.0.1:40000';
const operator = { id: 'owner', name: 'owner' };

const kidsOf = (stage: StsStage): string[] =>
  (JSON.parse(stage.sts.keys().jwks) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);

async function kidOfToken(stage: StsStage): Promise<string> {
  const answer = await stage.sts.issue(asked(), { svid: stage.svid('cart'), address });
  if (!answer.ok) return answer.reason.error;
  const header: unknown = JSON.parse(Buffer.from(answer.value.token.split('.')[0] ?? '', 'base64url').toString());
  return (header as { kid: string }).kid;
}

async function follow(stage: StsStage): Promise<AsyncDisposable> {
  const stop = new AbortController();
  const running = stage.keys.run(stop.signal).catch(() => undefined);
  await stage.registry.clock.advance(0);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

test('a key is published before it signs, and stays until its last token is dead (S74, S75, S79)', async () => {
  const stage = await openStsStage();
  await using _running = await follow(stage);
  const first = await kidOfToken(stage);
  const published = kidsOf(stage);
  expect(published).toHaveLength(2);
  const second = published.find((kid) => kid !== first);
  let before = published;
  const seen = new Set<string>();
  for (let minute = 0; minute <= 100; minute += 1) {
    const kid = await kidOfToken(stage);
    expect(before).toContain(kid); // not only now: verifiers that looked a minute ago know it
    seen.add(kid);
    before = kidsOf(stage);
    await stage.registry.clock.advance(60_000);
  }
  expect([...seen]).toEqual([first, second]);
  expect(kidsOf(stage)).not.toContain(first); // retired at 60 min, dead 16 min later
  expect(stage.keys.published().version).toBeGreaterThan(2);
});

test('a restart at any time signs with a key that was published before, never with another (A40)', async () => {
  const stage = await openStsStage();
  for (let at = 0; at < 30; at += 1) {
    const published = kidsOf(stage);
    const { version } = stage.sts.keys();
    await stage.registry.clock.advance(ringTimes.publishAheadMs / 2);
    await stage.restart();
    expect(published).toContain(await kidOfToken(stage));
    expect(stage.sts.keys().version).toBeGreaterThanOrEqual(version);
  }
});

test('what the store could not keep is neither published nor signed with (A40)', async () => {
  const stage = await openStsStage();
  const published = kidsOf(stage);
  const kid = await kidOfToken(stage);
  stage.registry.store.close();
  await stage.registry.clock.advance(2 * ringTimes.rotateEveryMs);
  await using _running = await follow(stage);
  expect([await kidOfToken(stage), kidsOf(stage)]).toEqual([kid, published]);
});

test('keys are in the store encrypted only (A39)', async () => {
  const stage = await openStsStage();
  const current = stage.keys.current();
  const pkcs8 = current?.privateKey.export({ type: 'pkcs8', format: 'der' }) ?? Buffer.alloc(1);
  const stored = stage.registry.store.signingKeys();
  expect(stored).toHaveLength(2);
  for (const { sealedKey } of stored) expect(sealedKey.includes(pkcs8.subarray(-40))).toBe(false);
});

test('a revoked key leaves the published set at once; the next one signs as soon as it may (S80)', async () => {
  const stage = await openStsStage();
  await using _running = await follow(stage);
  const first = await kidOfToken(stage);
  let told = 0;
  stage.keys.onChange(() => (told += 1));
  expect(await stage.keys.revoke('nobody', operator)).toEqual({ ok: false, reason: 'unknown-kid' });
  expect(told).toBe(0);
  expect(await stage.keys.revoke(first, operator)).toMatchObject({ ok: true });
  expect(told).toBeGreaterThan(0);
  expect(kidsOf(stage)).not.toContain(first);
  expect(await kidOfToken(stage)).toBe('temporarily_unavailable'); // the next is not known everywhere yet
  await stage.registry.clock.advance(ringTimes.publishAheadMs);
  await expect.poll(() => kidOfToken(stage)).not.toBe('temporarily_unavailable');
  expect(kidsOf(stage)).toContain(await kidOfToken(stage));
  const changes = stage.registry.audit().filter(({ kind }) => kind === 'signing-key-changed');
  expect(changes).toContainEqual(expect.objectContaining({ kid: first, change: 'revoked', operator: 'owner' }));
});

test('tokens that a revoked key signed are worth nothing here at once (S80)', async () => {
  const stage = await openStsStage();
  const issued = await stage.sts.issue(asked(), { svid: stage.svid('cart'), address });
  if (!issued.ok) throw new Error(issued.reason.error);
  const { token } = issued.value;
  const look = () =>
    stage.sts.introspect(token, { kind: 'svid', clientId: undefined }, { svid: stage.svid('payments'), address });
  expect(look()).toMatchObject({ value: { active: true } });
  await stage.keys.revoke(stage.keys.current()?.kid ?? '', operator);
  expect(look()).toEqual({ ok: true, value: { active: false } });
});
