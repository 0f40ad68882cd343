import type { TrustBundle } from '#certs/trust-bundle.ts';
import type { WatchResponse, Workload } from '#proto/messages.ts';

/** What every agent is to know, as of now. */
export interface Snapshot {
  readonly trustBundle: TrustBundle;
  readonly svidLifeMs: number;
  /** In the order asked for; names nobody registered yet are left out. */
  workloads(names: readonly string[]): readonly Workload[];
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
}

type Body = WatchResponse extends infer R ? (R extends WatchResponse ? Omit<R, 'version'> : never) : never;

export function createSubscription(
  send: (response: WatchResponse) => Promise<void>,
  snapshot: () => Snapshot,
): Subscription {
  let upstreams: readonly string[] | undefined;
  let version = 0;
  let sentLife = 0;
  let sentWorkloads: string | undefined;
  let sentBundle: { readonly bundleVersion: number; readonly version: number } | undefined;
  let acknowledgedBundle = 0;
  let running: Promise<void> | undefined;
  let again = false;

  function next(): Body | undefined {
    const { trustBundle, svidLifeMs, workloads } = snapshot();
    if (upstreams === undefined) return undefined; // nothing before the agent has spoken
    if (sentLife !== svidLifeMs) {
      sentLife = svidLifeMs;
      return { kind: 'settings', svidLifeMs };
    }
    if (sentBundle?.bundleVersion !== trustBundle.version) {
      sentBundle = { bundleVersion: trustBundle.version, version: version + 1 };
      return { kind: 'trust-bundle', trustBundle };
    }
    const wished = workloads(upstreams);
    const fingerprint = JSON.stringify(wished);
    if (sentWorkloads === fingerprint) return undefined;
    sentWorkloads = fingerprint;
    return { kind: 'workloads', workloads: wished };
  }

  async function sendAll(): Promise<void> {
    do {
      again = false;
      for (let body = next(); body !== undefined; body = next()) {
        version += 1;
        await send({ ...body, version });
      }
    } while (again);
  }

  return {
    wish(names) {
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
    },
    bundleVersionAcknowledged: () => acknowledgedBundle,
  };
}
