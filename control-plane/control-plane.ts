import { join, resolve } from 'node:path';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import { trustBundleToPem, type TrustBundle } from '#certs/trust-bundle.ts';
import { serveAdmin } from '#proto/admin.ts';
import { serveMesh } from '#proto/mesh-server.ts';
import type { Clock, Random } from '#runtime/clock.ts';
import type { Emit } from '#runtime/log.ts';
import { createAdminHandlers } from './api/admin.ts';
import { openAdministration } from './api/administration.ts';
import { createExchangeToken } from './api/token-exchange.ts';
import { openAuthority } from './ca/authority.ts';
import { createIssueCertificate } from './ca/issue.ts';
import { issueOwnIdentity, keepIdentity } from './ca/own-identity.ts';
import { unlock } from './ca/unlock.ts';
import type { ControlPlaneConfig } from './config.ts';
import { openDataDir, placeAdminSocket, storeFile, trustBundleFile, writeFileAtomically } from './data-dir.ts';
import { createHub } from './discovery/hub.ts';
import { createPolicyFeed } from './discovery/policy-feed.ts';
import { createPortBook } from './discovery/port-book.ts';
import type { ControlPlaneEvent } from './events.ts';
import { createRateLimiter } from './limits.ts';
import { followPolicyFolder } from './policies/folder.ts';
import { createPolicyKeeper } from './policies/keeper.ts';
import type { Registry } from './registry/registry.ts';
import { openStore } from './store/sqlite.ts';
import { deskOf, openTokenService, openTokensHttp, tokenKeysOf, type TokenService } from './token-service.ts';

export interface ControlPlaneTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit<ControlPlaneEvent>;
}

export interface ControlPlane {
  /** Where agents connect. */
  readonly host: string;
  readonly port: number;
  readonly spiffeId: SpiffeId;
  readonly trustBundle: TrustBundle;
  readonly trustBundlePath: string;
  readonly adminSocket: string;
  /** Who may ask for tokens. */
  readonly registry: Registry;
  /** Of the token service's HTTPS; undefined: it has none. */
  readonly tokensPort: number | undefined;
  /** Calls in flight have a moment to end; then everything is closed. */
  close(): Promise<void>;
}

const closeGraceMs = 2000;

/** Builds each part once and connects them. Resolves when agents can be served; a part that fails closes the others. */
export async function startControlPlane(config: ControlPlaneConfig, tools: ControlPlaneTools): Promise<ControlPlane> {
  const { clock, emit } = tools;
  const { svidLifeMs, limits } = config;
  await using opened = new AsyncDisposableStack();
  const dataDir = await openDataDir(config.dataDir);
  const store = openStore(join(dataDir, storeFile));
  opened.defer(() => store.close());
  const unlocked = await unlock(store, dataDir, config.keySource);
  const authority = await openAuthority(store, unlocked, { trustDomain: config.trustDomain, nowMs: clock.now() });
  const trustBundlePath = join(dataDir, trustBundleFile);
  await writeFileAtomically(trustBundlePath, trustBundleToPem(authority.trustBundle), 0o644);

  const onFault = (error: unknown): void => emit({ event: 'request.failed', error });
  let tokenService: TokenService | undefined;
  const facts = () => ({ trustBundle: authority.trustBundle, svidLifeMs, tokenKeys: tokenKeysOf(tokenService, store) });
  const policies = createPolicyFeed(store.policies(), store.policyRevision());
  const declared = createPortBook({ store, clock, emit });
  const hub = createHub({ store, clock, emit, facts, policies, ports: declared });
  opened.defer(() => hub.close());
  const keeper = createPolicyKeeper({
    store,
    folder: config.policies,
    declared,
    trustDomain: config.trustDomain,
    clock,
    emit,
    onNews(news) {
      policies.take(news);
      hub.policiesChanged();
    },
  });
  const administration = openAdministration({
    store,
    svidLifeMs,
    signingKeys: () => tokenService && deskOf(tokenService, hub),
    clock,
    emit,
    onFault,
  });
  const { registry } = administration;
  if (config.tokens !== undefined) {
    const service = { ...config, tokens: config.tokens };
    tokenService = await openTokenService({ config: service, store, sealer: unlocked.sealer, registry, clock, emit });
    tokenService.keys.onChange(() => hub.refreshAll());
  }
  const sts = tokenService?.sts;
  opened.defer(() => sts?.close());
  const issuing = { ...tools, store, authority, svidLifeMs };
  const issueCertificate = createIssueCertificate({
    ...issuing,
    perIdentity: createRateLimiter(limits.issuePerIdentity, clock),
    failedAttestations: createRateLimiter(limits.failedAttestationsPerAddress, clock),
  });
  const identity = await issueOwnIdentity(issuing);
  const mesh = await serveMesh({
    listen: config.listen,
    identity,
    handlers: { issueCertificate, watch: (call) => hub.watch(call), exchangeToken: createExchangeToken(sts) },
    onFault,
    clock,
  });
  opened.defer(() => mesh.close(closeGraceMs));
  opened.defer(() => declared.close()); // before the streams end
  const tokensHttp =
    tokenService && config.tokens?.http
      ? await openTokensHttp(tokenService, config.tokens.http, { bundle: authority.trustBundle, clock, onFault })
      : undefined;
  opened.defer(() => tokensHttp?.close());
  const adminSocket = await placeAdminSocket(dataDir);
  const admin = await serveAdmin({
    socketPath: adminSocket,
    handlers: createAdminHandlers({ store, authority, hub, keeper, registry: administration.handlers, clock, emit }),
    onFault,
    clock,
  });
  opened.defer(() => admin.close(closeGraceMs));
  const { policies: folder } = config;
  const loops: Loop[] = [
    (signal) => keepIdentity(identity, { ...issuing, present: (next) => mesh.present(next) }, signal),
  ];
  const rotating = tokenService?.keys;
  if (rotating !== undefined) loops.push((signal) => rotating.run(signal));
  if (folder !== undefined) {
    loops.push((signal) => followPolicyFolder({ dir: resolve(folder), keeper, clock, emit }, signal));
  }
  opened.defer(startLoops(loops, onFault));
  const running = opened.move();
  return {
    host: mesh.host,
    port: mesh.port,
    spiffeId: identity.svid.spiffeId,
    trustBundle: authority.trustBundle,
    trustBundlePath,
    adminSocket,
    registry: administration.registry,
    tokensPort: tokensHttp?.port,
    close: () => running.disposeAsync(),
  };
}

/** Runs until the signal aborts. */
type Loop = (signal: AbortSignal) => Promise<never>;

/** The answer ends them, and waits for that. */
function startLoops(loops: readonly Loop[], onFault: (error: unknown) => void): () => Promise<void> {
  const stop = new AbortController();
  const running = loops.map((loop) =>
    loop(stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) onFault(error);
    }),
  );
  return async () => {
    stop.abort();
    await Promise.all(running);
  };
}
