import { randomBytes } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import type { Address, InboundPortConfig } from '#agent/config-types.ts';
import type { WorkerPlace } from '#agent/h2/types.ts';
import { createDeadlines } from '#agent/http/deadlines.ts';
import { createIdentityStore, type IdentityStore } from '#agent/identity/store.ts';
import { serveTunnel } from '#agent/inbound/tunnel-server.ts';
import { TlsPipe } from '#agent/pipe/tls-pipe.ts';
import { serverTlsOptions } from '#agent/tls/contexts.ts';
import { verifyPeer } from '#agent/tls/verified-peer.ts';
import type { SessionEvent, SessionFacts } from '#agent/tunnel/connect-session.ts';
import { defaultUpstreamLimits, type Peer, type UpstreamLimits } from '#agent/tunnel/peer.ts';
import { createPeerPool, type PeerPool } from '#agent/tunnel/peer-pool.ts';
import type { HttpConnection } from '#agent/http/service.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import type { TestDomain } from './identities.ts';
import { seededRandom } from './seeded-random.ts';
import { stageCaller, stageLimits, type StageApp } from './stage-app.ts';

const minuteMs = 60_000;

/** The serving end: a TLS port whose sessions are ours, with an app that the test writes. */
export interface ServingEnd {
  readonly address: Address;
  readonly identity: IdentityStore;
  readonly app: StageApp;
  /** TLS connections that are open, the oldest first. */
  readonly sockets: readonly TLSSocket[];
  readonly sessions: readonly HttpConnection[];
  /** Handshakes so far. */
  readonly accepted: number;
  rotate(lifeMs?: number): Promise<void>;
  /** Nobody can connect any more; connections live on. */
  close(): void;
}

/** The calling end. */
export interface CallingEnd {
  readonly pool: PeerPool;
  readonly identity: IdentityStore;
  readonly events: readonly (SessionFacts & { readonly event: SessionEvent })[];
  /** SPIFFE IDs of peers whose sessions were ended for want of a proof, with the reason. */
  readonly unproved: readonly string[];
  rotate(lifeMs?: number): Promise<void>;
}

export interface StageOptions {
  readonly whenExpired?: 'keep' | 'end';
  readonly lifeMs?: number;
  readonly limits?: Partial<UpstreamLimits>;
}

interface ServeOptions extends StageOptions {
  readonly app?: StageApp;
  /** Which worker of the peer takes its n-th connection, counted from 1. */
  readonly worker?: (connection: number) => WorkerPlace;
}

/** Both ends of tunnels in this process, over TLS on loopback, on a clock that the test moves. */
export class TunnelStage {
  readonly domain: TestDomain;
  readonly clock: FakeClock = createFakeClock(Date.now());
  readonly #cleanups: (() => void)[] = [];

  constructor(domain: TestDomain) {
    this.domain = domain;
  }

  [Symbol.dispose](): void {
    for (const cleanup of this.#cleanups.splice(0).reverse()) cleanup();
  }

  readonly random = seededRandom();

  async serve(
    workload: string,
    { whenExpired = 'end', lifeMs = 10 * minuteMs, app = {}, worker }: ServeOptions = {},
  ): Promise<ServingEnd> {
    const { clock } = this;
    const identity = createIdentityStore();
    const rotate = async (life = lifeMs): Promise<void> =>
      void identity.replace(await this.domain.identity(workload, life + clock.now() - Date.now()));
    await rotate();
    const sockets: TLSSocket[] = [];
    const sessions: HttpConnection[] = [];
    let accepted = 0;
    const server = createServer({
      ...serverTlsOptions(identity.current()!),
      noDelay: true,
      allowHalfOpen: true,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    identity.subscribe((snapshot) => server.setSecureContext(serverTlsOptions(snapshot)));
    const raw = new Set<Socket>();
    server.on('connection', (socket: Socket) => void raw.add(socket.on('error', () => undefined)));
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    server.on('secureConnection', (socket) => {
      accepted += 1;
      const shown = identity.current()!;
      const peer = verifyPeer(socket, { bundle: shown.bundle, nowMs: clock.now() });
      if (!peer.ok) return socket.destroy();
      sockets.push(socket);
      socket.once('close', () => sockets.splice(sockets.indexOf(socket), 1));
      const at = { host: '127.0.0.1', port: 1 };
      const facts = { caller: at, agent: at, tlsVersion: 'TLSv1.3' };
      const link = { pipe: new TlsPipe(socket), socket, peer: peer.value, facts, shown };
      if (socket.alpnProtocol !== 'h2') return app.foreign?.(link.pipe);
      sessions.push(
        serveTunnel(link, {
          clock,
          worker: worker?.(accepted),
          identity,
          randomBytes,
          whenExpired,
          report: { proved: () => undefined, failed: () => undefined },
          portOf: (port) => stagePorts.get(port),
          openCaller: (proof) => stageCaller(app, { clock, deadlines: createDeadlines(clock), proof, workload }),
        }),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    this.#cleanups.push(() => {
      server.close();
      for (const socket of raw) socket.destroy();
    });
    return {
      address: { host: '127.0.0.1', port },
      identity,
      app,
      sockets,
      sessions,
      get accepted() {
        return accepted;
      },
      rotate,
      close: () => void server.close(),
    };
  }

  async call(
    workload: string,
    { whenExpired = 'end', lifeMs = 10 * minuteMs, limits = {} }: StageOptions = {},
  ): Promise<CallingEnd> {
    const { clock } = this;
    const identity = createIdentityStore();
    const rotate = async (life = lifeMs): Promise<void> =>
      void identity.replace(await this.domain.identity(workload, life + clock.now() - Date.now()));
    await rotate();
    const events: (SessionFacts & { event: SessionEvent })[] = [];
    const unproved: string[] = [];
    const pool = createPeerPool({
      identity,
      clock,
      random: this.random,
      randomBytes,
      whenExpired,
      limits: { ...defaultUpstreamLimits, ...limits },
      http: { limits: stageLimits, deadlines: createDeadlines(clock) },
      report: { proved: () => undefined, failed: (_peer, reason) => void unproved.push(reason) },
      onSession: (event, facts) => void events.push({ event, ...facts }),
    });
    this.#cleanups.push(() => pool.destroyAll());
    return { pool, identity, events, unproved, rotate };
  }

  peer(workload: string, endpoints: readonly Address[], changes: Partial<Peer> = {}): Peer {
    const spiffeId = this.domain.spiffeId(workload);
    return { workload, spiffeId, port: 7002, transport: 'tunnel', endpoints, ...changes };
  }
}

const common = { app: { host: '127.0.0.1', port: 1 }, allow: 'any-peer', listen: undefined, mode: 'STRICT' } as const;

/** 7002 is HTTP, 7003 opaque. */
const stagePorts: ReadonlyMap<number, InboundPortConfig> = new Map([
  [7002, { ...common, port: 7002, protocol: 'http' } as InboundPortConfig],
  [7003, { ...common, port: 7003, protocol: 'tcp' } as InboundPortConfig],
]);
