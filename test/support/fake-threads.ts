import { createCounters, type AgentCounters } from '#agent/admin/metrics.ts';
import { emptyReport, type LedgerReport } from '#agent/plaintext/ledger-report.ts';
import { createIdentityStore, type IdentityStore } from '#agent/identity/store.ts';
import type { Side } from '#agent/data-path.ts';
import type { LocalDataPath } from '#agent/local-data-path.ts';
import type { KnownWorkload } from '#agent/outbound/destination.ts';
import { MainThreadTokens } from '#agent/workers/main-thread-tokens.ts';
import { serveCall } from '#agent/workers/serve-calls.ts';
import type { WorkerMessage, WorkerRequest, WorkerStart } from '#agent/workers/worker-calls.ts';
import type { StartThread, WorkerThreadOwner } from '#agent/workers/worker-thread.ts';

/** A worker thread that is none: messages are cloned as between threads, and its data path only remembers. */
export interface FakeThread {
  readonly start: WorkerStart;
  readonly store: IdentityStore;
  readonly counters: AgentCounters;
  readonly connections: Record<Side, number>;
  /** As whom it asks for tokens. */
  readonly mainTokens: MainThreadTokens;
  /** What it says of plaintext callers. */
  called: LedgerReport;
  readonly did: string[];
  /** `stuck`: what it is asked waits. */
  state: 'turning' | 'stuck' | 'terminated';
  /** Works off what has waited. */
  wake(): void;
  say(message: WorkerMessage): void;
  die(why: string): void;
}

export interface FakeThreads {
  readonly all: readonly FakeThread[];
  readonly startThread: StartThread;
}

/** `open` opens nothing; the listeners it tells are named after the worker. */
export function createFakeThreads(): FakeThreads {
  const all: FakeThread[] = [];
  const startThread: StartThread = (start, owner) => {
    const thread = new Thread(structuredClone(start), owner);
    all.push(thread);
    return {
      send: (request) => thread.take(structuredClone(request)),
      terminate() {
        thread.state = 'terminated';
        return Promise.resolve();
      },
    };
  };
  return { all, startThread };
}

class Thread implements FakeThread {
  readonly start: WorkerStart;
  readonly store = createIdentityStore();
  readonly counters = createCounters();
  readonly connections = { outbound: 0, inbound: 0 };
  called: LedgerReport = emptyReport;
  readonly did: string[] = [];
  state: FakeThread['state'] = 'turning';
  readonly #owner: WorkerThreadOwner;
  readonly #waiting: WorkerRequest[] = [];
  /** As whom it asks for tokens. */
  readonly mainTokens = new MainThreadTokens((message) => this.say(message));
  readonly #dataPath: LocalDataPath;

  constructor(start: WorkerStart, owner: WorkerThreadOwner) {
    this.start = start;
    this.#owner = owner;
    this.#dataPath = {
      open: (side) => {
        this.did.push(`open ${side}`);
        return Promise.resolve([{ purpose: `${side} of ${start.worker}`, address: { host: '127.0.0.1', port: 1 } }]);
      },
      useWorkloads: (workloads: readonly KnownWorkload[]) =>
        void this.did.push(`workloads ${workloads.map(({ name }) => name).join(' ')}`),
      usePolicies: ({ documents }) => {
        this.did.push(`policies ${documents.length}`);
        return { isInForce: true, problem: undefined };
      },
      useTokenKeys: (keys) => void this.did.push(`token keys of ${keys.length}`),
      plaintextCallers: () => Promise.resolve(this.called),
      decision: () => Promise.resolve(undefined),
      report: () => Promise.resolve({ counters: this.counters, connections: this.connections, workers: [] }),
      drain: (side) => void this.did.push(`drain ${side}`),
      end: () => Promise.resolve(void this.did.push('end')),
      failed: new Promise(() => undefined),
    };
  }

  take(request: WorkerRequest): void {
    if (this.state !== 'turning') return void this.#waiting.push(request);
    const { store, mainTokens } = this;
    const post = (message: WorkerMessage): void => this.say(message);
    void serveCall(request, { dataPath: this.#dataPath, store, mainTokens, post });
  }
  wake(): void {
    this.state = 'turning';
    for (const request of this.#waiting.splice(0)) this.take(request);
  }
  say(message: WorkerMessage): void {
    if (this.state !== 'terminated') this.#owner.onMessage(structuredClone(message));
  }
  die(why: string): void {
    this.state = 'terminated';
    this.#owner.onEnded(why);
  }
}
