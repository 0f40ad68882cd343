import { createHash } from 'node:crypto';
import type { TrustBundle } from '#certs/trust-bundle.ts';
import type { WatchResponse, Workload } from '#proto/messages.ts';
import type { TokenIssuer } from '#proto/token-messages.ts';
import type { PolicyPush } from './policy-push.ts';

/** What every agent is to know, as of now. */
export interface Snapshot {
  readonly trustBundle: TrustBundle;
  readonly svidLifeMs: number;
  /** Our own issuer by its keys, none once it is gone; undefined: there never was one. */
  readonly tokenKeys: { readonly version: number; readonly issuers: readonly TokenIssuer[] } | undefined;
  /** In the order asked for; names nobody registered yet are left out. */
  workloads(names: readonly string[]): readonly Workload[];
}

export interface SubscriptionParts {
  send(response: WatchResponse): Promise<void>;
  snapshot(): Snapshot;
  readonly policies: Pick<PolicyPush, 'due' | 'acknowledge'>;
}

/** One agent's stream: knows what was sent, and sends what differs. */
export interface Subscription {
  /** Names of the wished upstreams; replaces the earlier wish. */
  wish(upstreams: readonly string[]): void;
  wants(name: string): boolean;
  /** Sends what differs from what was sent last, one after the other; calls while it runs are gathered into one more round. */
  refresh(): Promise<void>;
  acknowledge(version: number, problem: string): void;
  /** Of the newest trust bundle the agent said it applied; 0 before the first. */
  bundleVersionAcknowledged(): number;
  /** Of the token keys it said it applied; 0 before the first. */
  tokenKeysAcknowledged(): number;
}

/** Of one message with workloads, next to a limit of 256 KiB: an endpoint needs 54 bytes, so 256 of them 14 KiB. */
const maxEndpointsPerMessage = 2048;
const maxWorkloadsPerMessage = 250;

type Body = WatchResponse extends infer R ? (R extends WatchResponse ? Omit<R, 'version'> : never) : never;

export function createSubscription({ send, snapshot, policies }: SubscriptionParts): Subscription {
  let upstreams: readonly string[] | undefined;
  let version = 0;
  let sentLife = 0;
  const sentWorkloads = new Map<string, string>(); // by name, its digest
  let hasToldWorkloads = false;
  let sentBundle: { readonly bundleVersion: number; readonly version: number } | undefined;
  let acknowledgedBundle = 0;
  let sentKeys: { readonly keyVersion: number; readonly version: number } | undefined;
  let acknowledgedKeys = 0;
  let running: Promise<void> | undefined;
  let again = false;

  /** What differs from what was sent, counted as sent when it is taken. */
  function* changes(): Generator<Body> {
    const { trustBundle, svidLifeMs, tokenKeys, workloads } = snapshot();
    if (upstreams === undefined) return; // nothing before the agent has spoken
    if (sentLife !== svidLifeMs) {
      sentLife = svidLifeMs;
      yield { kind: 'settings', svidLifeMs };
    }
    if (sentBundle?.bundleVersion !== trustBundle.version) {
      sentBundle = { bundleVersion: trustBundle.version, version: version + 1 };
      yield { kind: 'trust-bundle', trustBundle };
    }
    if (tokenKeys !== undefined && sentKeys?.keyVersion !== tokenKeys.version) {
      sentKeys = { keyVersion: tokenKeys.version, version: version + 1 };
      yield { kind: 'token-keys', issuers: tokenKeys.issuers };
    }
    yield* changedWorkloads(workloads(upstreams));
    for (const part of policies.due(() => version + 1)) yield { kind: 'policies', policies: part };
  }

  /** In messages below the limit; the first one is sent even when it is empty: nobody wished for is there. */
  function* changedWorkloads(wished: readonly Workload[]): Generator<Body> {
    let part: Workload[] = [];
    let endpoints = 0;
    for (const workload of wished) {
      const digest = digestOf(workload);
      if (sentWorkloads.get(workload.name) === digest) continue;
      sentWorkloads.set(workload.name, digest);
      endpoints += workload.endpoints.length;
      if (part.length === maxWorkloadsPerMessage || endpoints > maxEndpointsPerMessage) {
        yield { kind: 'workloads', workloads: part };
        part = [];
        endpoints = workload.endpoints.length;
      }
      part.push(workload);
    }
    if (part.length > 0 || !hasToldWorkloads) yield { kind: 'workloads', workloads: part };
    hasToldWorkloads = true;
  }

  async function sendAll(): Promise<void> {
    do {
      again = false;
      for (const body of changes()) {
        version += 1;
        await send({ ...body, version });
      }
    } while (again);
  }

  return {
    wish(names) {
      const wanted = new Set(names);
      for (const name of sentWorkloads.keys()) if (!wanted.has(name)) sentWorkloads.delete(name);
      upstreams = names;
    },
    wants: (name) => upstreams?.includes(name) ?? false,
    refresh() {
      again = true;
      running ??= sendAll().finally(() => {
        running = undefined;
      });
      return running;
    },
    acknowledge(acknowledged, problem) {
      if (problem === '' && acknowledged === sentBundle?.version) acknowledgedBundle = sentBundle.bundleVersion;
      if (problem === '' && acknowledged === sentKeys?.version) acknowledgedKeys = sentKeys.keyVersion;
      policies.acknowledge(acknowledged, problem);
    },
    bundleVersionAcknowledged: () => acknowledgedBundle,
    tokenKeysAcknowledged: () => acknowledgedKeys,
  };
}

const digestOf = (workload: Workload): string => createHash('sha256').update(JSON.stringify(workload)).digest('base64');
