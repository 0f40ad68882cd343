import type { IncomingMessage } from 'node:http';
import type { PortTokenConfig } from '#agent/config-types.ts';
import type { IssuerRules, TrustedKeys } from '#agent/tokens/issuer-keys.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { writeKeySet, type SigningKey } from '#tokens/signing-key.ts';
import type { HalfAgent } from './agent-pair.ts';
import type { Pair, PairOptions, PairWorld } from './pair-world.ts';
import { forge, stsKey, sts } from './tokens.ts';

/** What a port that asks for tokens says, but for these settings. */
export function portToken(changes: Partial<PortTokenConfig> = {}): PortTokenConfig {
  return {
    mode: 'require',
    audience: undefined,
    header: 'authorization',
    forward: 'none',
    unbound: 'refuse',
    ...changes,
  };
}

function issuerRules(changes: Partial<IssuerRules> = {}): IssuerRules {
  return {
    ...{ name: 'sts', issuer: sts, algorithms: ['ES256'], typ: 'at+jwt', claimMap: {}, maxLifetimeSeconds: 300 },
    subjects: { trustDomains: ['test.example'], ownNames: 'refuse' },
    ...changes,
  };
}

/** The state in which an agent believes these keys of one issuer. */
export function trustedKeys(keys: readonly SigningKey[] = [stsKey], rules = issuerRules()): TrustedKeys {
  return [{ rules, document: writeKeySet(keys.map(({ publicJwk }) => publicJwk)), fetches: undefined }];
}

export interface TokenChanges {
  readonly header?: object;
  readonly claims?: object;
  readonly key?: SigningKey;
}

/** A good token of cart for prices, bound to cart's certificate, but for these members. */
function portTokens(world: PairWorld, caller: HalfAgent, nowMs = (): number => systemClock.now()) {
  let count = 0;
  return ({ header, claims, key = stsKey }: TokenChanges = {}): string => {
    const now = Math.floor(nowMs() / 1_000);
    const cart = world.domain.spiffeId('cart');
    const thumbprint = caller.store.current()?.svid.thumbprint ?? '';
    count += 1;
    return forge(
      {
        header: { alg: 'ES256', typ: 'at+jwt', kid: key.kid, ...header },
        claims: {
          ...{ iss: sts, sub: cart, client_id: cart, aud: world.domain.spiffeId('prices') },
          ...{ iat: now, nbf: now, exp: now + 300, jti: `t${count}`, scope: 'prices.read' },
          cnf: { 'x5t#S256': Buffer.from(thumbprint, 'hex').toString('base64url') },
          ...claims,
        },
      },
      key.privateKey,
    );
  };
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

export interface TokenPortOptions extends PairOptions {
  readonly settings?: Partial<PortTokenConfig>;
}

/** What the app got. */
interface Heard {
  readonly headers: IncomingMessage['headers'];
  readonly raw: readonly string[];
}

/** cart → prices, whose port asks for a token; its app answers `/slow` without an end. */
export async function startTokenPort(world: PairWorld, options: TokenPortOptions = {}) {
  const heard: Heard[] = [];
  const app = await world.httpApp((incoming, reply) => {
    heard.push({ headers: incoming.headers, raw: incoming.rawHeaders });
    if (incoming.url === '/slow') reply.write('some');
    else reply.end('ok');
  });
  const { settings, ...others } = options;
  const pair = await world.pair(app, { token: portToken(settings), ...others });
  pair.prices.useTokenKeys(trustedKeys());
  const token = portTokens(world, pair.cart, options.clock && (() => options.clock!.now()));
  return { ...pair, heard, token };
}

export function lastDenied({ prices }: Pick<Pair, 'prices'>) {
  return prices.events.findLast(({ event }) => event === 'inbound.denied');
}
