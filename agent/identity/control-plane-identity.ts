import { readFile } from 'node:fs/promises';
import { workloadSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import { parseTrustBundlePem, type TrustBundle } from '#certs/trust-bundle.ts';
import type { DeclaredPort, PoliciesPart, WatchResponse, Workload } from '#proto/messages.ts';
import type { TokenIssuer } from '#proto/token-messages.ts';
import type { Clock, Random } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';
import { describeError } from '#runtime/log.ts';
import type { Readiness } from '#agent/admin/readiness.ts';
import type { Address, ControlPlaneIdentityConfig } from '#agent/config-types.ts';
import type { AgentEmit, AgentEvent } from '#agent/events.ts';
import { createJoinTokens } from './attest.ts';
import { defaultClockWatch, watchClock } from './clock-watch.ts';
import type { PrepareIdentity } from './prepare-next.ts';
import { Rotator } from './rotator.ts';
import type { IdentitySource } from './source.ts';
import { openStateDir } from './state-dir.ts';
import type { IdentityStore } from './store.ts';
import { acceptBundle } from './trust.ts';
import { ControlPlaneLink, type CallIdentity, type ControlPlaneClient, type Subscription } from './watch.ts';

export interface ControlPlaneIdentityParts {
  readonly config: ControlPlaneIdentityConfig;
  readonly workload: string;
  readonly trustDomain: string;
  readonly agentVersion: string;
  /** Names of the workloads whose endpoints the control plane shall tell. */
  readonly upstreams: readonly string[];
  /** Of our own inbound: what the control plane is told of them. */
  readonly ports: readonly DeclaredPort[];
  readonly store: IdentityStore;
  readonly readiness: Readiness;
  readonly stdin: AsyncIterable<Uint8Array | string>;
  /** Full state of every upstream asked for. */
  readonly onWorkloads: (workloads: readonly Workload[]) => void;
  /** Full state of the token issuers' keys; returns why it was not taken, `''` when it was. */
  readonly onTokenKeys: (issuers: readonly TokenIssuer[]) => string;
  /** Called once, when the state folder is there and safe. */
  readonly openPolicies: () => Promise<Policies>;
  /** Called before an identity that replaces a valid one is published; undefined: nothing rests on it. */
  readonly prepare?: PrepareIdentity | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: AgentEmit;
  /** Given by tests; production imports the gRPC client only when it gets here. */
  readonly createClient?: CreateClient;
}

/** Takes the mesh's policies off each stream; see `openAgentPolicies`. */
export interface Policies {
  openStream(): (part: PoliciesPart) => string;
  run(signal: AbortSignal): Promise<never>;
}

export interface ControlPlaneIdentity extends IdentitySource {
  /** Where peers reach our inbound from now on; empty while draining. */
  announce(endpoints: readonly Address[]): void;
  /** A call by exactly this certificate. Throws as the client does. */
  readonly exchangeToken: ControlPlaneLink['exchangeToken'];
}

export type CreateClient = (options: {
  readonly address: string;
  readonly expectedServer: SpiffeId;
  bundle(): TrustBundle;
  readonly identity?: CallIdentity;
  readonly clock: Clock;
}) => ControlPlaneClient;

/** Builds everything that keeps an identity by the control plane; `run` starts it. Throws `TRUST_BUNDLE_UNUSABLE`, `STATE_DIR_UNSAFE`. */
export async function createControlPlaneIdentity(parts: ControlPlaneIdentityParts): Promise<ControlPlaneIdentity> {
  const { config, workload, trustDomain, store, clock, random, stdin } = parts;
  const pinned = await readPinnedBundle(config.trustBundlePath, trustDomain);
  const stateDir = config.stateDir === undefined ? undefined : await openStateDir(config.stateDir, workload);
  const policies = await parts.openPolicies();
  const createClient = parts.createClient ?? (await import('#proto/mesh-client.ts')).createMeshClient;
  const expectedServer = controlPlaneSpiffeId(trustDomain);
  const address = config.address.host.includes(':')
    ? `[${config.address.host}]:${config.address.port}`
    : `${config.address.host}:${config.address.port}`;
  const bundle = () => store.current()?.bundle ?? pinned;
  const emit = withReadiness(parts);
  const { upstreams, agentVersion, ports } = parts;
  let subscription: Subscription = { upstreams, endpoints: [], agentVersion, ports };
  const link = new ControlPlaneLink(
    {
      store,
      createClient: (identity) =>
        createClient({ address, expectedServer, bundle, clock, ...(identity === undefined ? {} : { identity }) }),
      openStream() {
        const takePart = policies.openStream();
        return (push) => (push.kind === 'policies' ? takePart(push.policies) : applyPush(push, parts));
      },
      address,
      clock,
      random,
      emit,
    },
    subscription,
  );
  const joinTokens = createJoinTokens(config.joinToken, { workload, stdin });
  const { prepare } = parts;
  const call = link.issue;
  const rotator = new Rotator({ workload, store, call, joinTokens, pinned, prepare, stateDir, clock, random, emit });

  return {
    announce(endpoints) {
      subscription = { ...subscription, endpoints };
      link.subscribe(subscription);
    },
    exchangeToken: link.exchangeToken,
    renewNow: () => rotator.renewNow(),
    status() {
      const { rotations, skewMs, joinTokenUses } = rotator.status();
      return { rotations, skewMs, joinTokenUses, controlPlane: link.state() };
    },
    async run(signal) {
      const failed = new AbortController(); // one of the three ends: so do the others
      const until = AbortSignal.any([signal, failed.signal]);
      const onJump = (byMs: number) => {
        emit({ event: 'clock.jumped', byMs: Math.round(byMs) });
        rotator.renewNow();
      };
      const loops = [
        rotator.run(until),
        link.run(until),
        policies.run(until),
        watchClock(clock, defaultClockWatch, onJump, until),
      ];
      try {
        return await Promise.race(loops);
      } finally {
        failed.abort();
        await Promise.allSettled(loops);
      }
    },
  };
}

/** Of every control plane of ours. */
function controlPlaneSpiffeId(trustDomain: string): SpiffeId {
  const id = workloadSpiffeId(trustDomain, 'eastwest-system', 'control-plane');
  if (id.ok) return id.value;
  throw new Fault('TRUST_DOMAIN_UNUSABLE', `${trustDomain} makes no SPIFFE ID: ${id.reason}`);
}

async function readPinnedBundle(path: string, trustDomain: string): Promise<TrustBundle> {
  const hint = 'copy trust-bundle.pem from the control plane’s data folder: it is never fetched from the network';
  const pem = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new Fault('TRUST_BUNDLE_UNUSABLE', `cannot read the trust bundle ${path}`, { cause, hint });
  });
  const bundle = parseTrustBundlePem(pem, { trustDomain, version: 0 }); // whatever is pushed later is newer
  if (bundle.ok) return bundle.value;
  throw new Fault('TRUST_BUNDLE_UNUSABLE', `the trust bundle ${path} is ${bundle.reason}`, { hint });
}

/** Returns why a push was not applied, `''` when it was. */
function applyPush(
  push: Exclude<WatchResponse, { kind: 'policies' }>,
  { store, clock, emit, onWorkloads, onTokenKeys }: ControlPlaneIdentityParts,
): string {
  switch (push.kind) {
    case 'workloads':
      onWorkloads(push.workloads);
      return '';
    case 'settings':
      return ''; // the life of SVIDs is read off each of them
    case 'token-keys':
      return onTokenKeys(push.issuers);
    case 'trust-bundle': {
      const current = store.current();
      if (current === undefined) return 'no-identity';
      const { trustBundle } = push;
      const accepted = acceptBundle(current.bundle, trustBundle, { svid: current.svid, nowMs: clock.now() });
      if (!accepted.ok) {
        emit({ event: 'bundle.refused', version: trustBundle.version, problem: accepted.reason });
        return accepted.reason;
      }
      if (accepted.value !== current.bundle) {
        store.replace({ ...current, bundle: accepted.value });
        emit({ event: 'bundle.applied', version: accepted.value.version, roots: accepted.value.roots.length });
      }
      return '';
    }
  }
}

/** Readiness hears what the log hears: the control plane blocks only who has no valid SVID. */
function withReadiness({ emit, readiness }: ControlPlaneIdentityParts): AgentEmit {
  return (event: AgentEvent) => {
    if (event.event === 'svid.renewal-failed' && event.validForMs === 0) {
      readiness.block('control-plane-unreachable', describeError(event.error));
    }
    if (event.event === 'svid.issued' || event.event === 'svid.rotated') readiness.clear('control-plane-unreachable');
    emit(event);
  };
}
