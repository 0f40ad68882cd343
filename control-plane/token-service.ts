import { readFile } from 'node:fs/promises';
import { Fault } from '#runtime/fault.ts';
import type { TokensHttp, TokensHttpParts } from './api/tokens-http.ts';
import type { SigningKeyDesk } from './api/signing-keys.ts';
import type { Sealer } from './ca/sealing.ts';
import type { ControlPlaneConfig, TokensConfig, TokensHttpConfig } from './config.ts';
import type { Hub } from './discovery/hub.ts';
import type { ControlPlaneEvent } from './events.ts';
import { maxTokenLifeMs } from './registry/model.ts';
import type { Registry } from './registry/registry.ts';
import type { Store } from './store/store.ts';
import type { TokenIssuer } from '#proto/token-messages.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Emit } from '#runtime/log.ts';
import { openSigningKeys, type SigningKeys } from './sts/signing-keys.ts';
import { createSts, type Sts } from './sts/sts.ts';

export interface TokenServiceParts {
  readonly config: Pick<ControlPlaneConfig, 'trustDomain' | 'limits'> & { readonly tokens: TokensConfig };
  readonly store: Store;
  readonly sealer: Sealer;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly emit: Emit<ControlPlaneEvent>;
}

export interface TokenService {
  readonly sts: Sts;
  readonly keys: SigningKeys;
  /** What agents are told. */
  /** How long verifiers may keep the published keys. */
  readonly keysMaxAgeSeconds: number;
  issuers(): { readonly version: number; readonly issuers: readonly TokenIssuer[] };
}

/** Agents hear of a new key at once, other verifiers within their caches' time: it signs no sooner. */
const longestPublishAheadMs = 600_000;
/** What verifiers add to `exp`, and as much again for tokens that were signed while the ring moved. */
const skewMs = 60_000;

export async function openTokenService(parts: TokenServiceParts): Promise<TokenService> {
  const { config, clock, emit, store } = parts;
  const { issuer, lifeMs, keyLifeMs } = config.tokens;
  const publishAheadMs = Math.min(longestPublishAheadMs, keyLifeMs / 2);
  const times = { rotateEveryMs: keyLifeMs, publishAheadMs, maxTokenLifeMs, skewMs };
  const keys = await openSigningKeys({ ...parts, times });
  const { trustDomain, limits } = config;
  const sts = createSts({ issuer, trustDomain, lifeMs, registry: parts.registry, keys, store, limits, clock, emit });
  return {
    sts,
    keys,
    keysMaxAgeSeconds: Math.floor(publishAheadMs / 2_000),
    issuers() {
      const { jwks, version } = keys.published();
      return { version, issuers: [{ issuer, jwks, version }] };
    },
  };
}

/** What agents hear: once there were keys, also that there are none any more. */
export function tokenKeysOf(service: TokenService | undefined, store: Pick<Store, 'signingKeyVersion'>) {
  if (service !== undefined) return service.issuers();
  const version = store.signingKeyVersion();
  return version === 0 ? undefined : { version, issuers: [] };
}

/** What operators see of it. */
export function deskOf({ sts, keys }: TokenService, hub: Pick<Hub, 'tokenKeyAgents'>): SigningKeyDesk {
  return { issuer: sts.issuer, keys, counts: () => sts.counts(), agents: () => hub.tokenKeyAgents() };
}

/** The HTTPS door. Throws `TOKENS_CERTIFICATE_UNUSABLE`, `LISTEN_FAILED`. */
export async function openTokensHttp(
  service: TokenService,
  { listen, certFile, keyFile }: TokensHttpConfig,
  parts: Pick<TokensHttpParts, 'bundle' | 'clock' | 'onFault'>,
): Promise<TokensHttp> {
  const read = (path: string): Promise<string> =>
    readFile(path, 'utf8').catch((cause: unknown) => {
      throw new Fault('TOKENS_CERTIFICATE_UNUSABLE', `cannot read ${path}`, {
        cause,
        hint: 'tokens.certFile and tokens.keyFile name a certificate for the issuer’s host and its key, PEM',
      });
    });
  const tls = { cert: await read(certFile), key: await read(keyFile) };
  const { serveTokensHttp } = await import('./api/tokens-http.ts');
  const { sts, keysMaxAgeSeconds } = service;
  return serveTokensHttp({ ...parts, listen, tls, sts, keysMaxAgeSeconds });
}
