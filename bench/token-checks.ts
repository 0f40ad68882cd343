import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { jwtVerify } from 'jose';
import { checkPresenter, verifyAccessToken, type VerifiedAccessToken } from '#tokens/access-token.ts';
import { parseAudience } from '#tokens/claims.ts';
import { readKeySet } from '#tokens/jwks.ts';
import { mintAccessToken, type AccessContent } from '#tokens/mint.ts';
import { toSigningKey, writeKeySet } from '#tokens/signing-key.ts';
import { createVerifiedTokens } from '#tokens/verified-tokens.ts';
import type { Result } from '#runtime/result.ts';
import { systemClock } from '#runtime/system-clock.ts';

const issuer = 'https://sts.bench.example';
const caller = 'spiffe://bench.example/ns/bench/sa/cart';
const called = 'spiffe://bench.example/ns/bench/sa/prices';
const subjects = { trustDomains: ['bench.example'], ownNames: 'refuse' } as const;
const presenter = { certificateThumbprint: 'ab'.repeat(32), dpopThumbprint: undefined };
const distinct = 2_000;
const inFlight = 16;

/** Does one thing with the `index`-th token `count` times in a row. Throws when a good token is refused. */
export type Work = (index: number, count: number) => unknown;

export interface TokenStage {
  /** Strict reading, signature, claims and presenter, of tokens as bytes: as a request brings them. */
  readonly miss: Work;
  /** The same when the verdict is remembered. */
  readonly hit: Work;
  /** The reference: signature, type, issuer, audience and times by `jose.jwtVerify`, 16 in flight. */
  readonly jose: (index: number, count: number) => Promise<unknown>;
  readonly mint: (index: number, count: number) => Promise<unknown>;
}

export async function stageTokens(): Promise<TokenStage> {
  const key = toSigningKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
  const nowMs = systemClock.now();
  const audience = must(parseAudience(called));
  const signing = { key, nowMs, lifetimeSeconds: 300, maxLifetimeSeconds: 300 };
  const mint = async (index: number): Promise<string> => {
    const names = { subject: caller, clientId: caller, audience: called, tokenId: `bench-token-${index}` };
    const content: AccessContent = { ...names, ...presenter, scopes: ['prices.read'] };
    return must(await mintAccessToken(content, { issuer, subjects }, signing));
  };
  const wire: Buffer[] = [];
  for (let index = 0; index < distinct; index += 1) wire.push(Buffer.from(await mint(index)));
  const textOf = (index: number): string => wire[index % distinct]!.toString('latin1');
  const document = Buffer.from(writeKeySet([key.publicJwk]));
  const keys = must(readKeySet(document, { algorithms: ['ES256'], use: 'sig' }));
  const trusted = { issuer, keys, typ: 'at+jwt', claimMap: {}, subjects, maxLifetimeSeconds: 300 } as const;
  const rules = { issuers: new Map([[issuer, trusted]]), audience, nowMs, skewSeconds: 30 };
  const cache = createVerifiedTokens<VerifiedAccessToken>({
    maxTokens: 10_000,
    maxLength: 16_777_216,
    skewSeconds: 30,
  });
  for (let index = 0; index < distinct; index += 1) {
    cache.put(textOf(index), must(verifyAccessToken(textOf(index), rules)), 0);
  }
  const publicKey = createPublicKey({ key: key.publicJwk, format: 'jwk' });
  const times = { clockTolerance: 30, currentDate: new Date(nowMs) };
  const options = { issuer, audience: called, typ: 'at+jwt', algorithms: ['ES256'], ...times };
  return {
    miss: repeat((index) => must(checkPresenter(must(verifyAccessToken(textOf(index), rules)), presenter, 'refuse'))),
    hit: repeat((index) => {
      const token = cache.get(textOf(index), nowMs, 0);
      if (token === undefined) throw new Error('a verified token was forgotten');
      return must(checkPresenter(token, presenter, 'refuse'));
    }),
    jose: repeatInFlight((index) => jwtVerify(textOf(index), publicKey, options)),
    mint: repeatInFlight(mint),
  };
}

function repeat(one: (index: number) => unknown): Work {
  return (index, count) => {
    for (let each = index; each < index + count; each += 1) one(each);
  };
}

function repeatInFlight(one: (index: number) => Promise<unknown>): (index: number, count: number) => Promise<unknown> {
  return async (index, count) => {
    for (let each = index; each < index + count; each += inFlight) {
      await Promise.all(Array.from({ length: inFlight }, (_, line) => one(each + line)));
    }
  };
}

export interface Rate {
  readonly ops_per_s: number;
  /** Of all threads of this process. */
  readonly cpu_us_per_op: number;
}

const batch = 160;

export async function measureWork(work: Work, ms: number): Promise<Rate> {
  const startedMs = systemClock.monotonic();
  const cpuBefore = process.cpuUsage();
  let count = 0;
  while (systemClock.monotonic() < startedMs + ms) {
    await work(count, batch);
    count += batch;
  }
  const tookMs = systemClock.monotonic() - startedMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { ops_per_s: (count / tookMs) * 1000, cpu_us_per_op: (user + system) / count };
}

function must<T>(result: Result<T, unknown>): T {
  if (result.ok) return result.value;
  throw new Error(`refused: ${JSON.stringify(result.reason)}`);
}
