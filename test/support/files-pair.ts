import { createServer, type RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import type { AgentStatus } from '#agent/admin/status.ts';
import { startReadyAgent, type AgentProcess, type LoggedEvent } from './agent-process.ts';
import { startTcpApp } from './apps.ts';
import { createIdentityFolder, type FolderStyle, type IdentityFolder } from './identity-folder.ts';
import { startCallers, type Tally } from './steady-callers.ts';
import { createTestCa, type TestAuthority, type TestCertificate } from './test-ca.ts';

/** What happens to both folders: `atMs` after the start. */
export type FolderStep = { readonly atMs: number } & (
  | { readonly do: 'rotate' }
  /** Both roots are trusted from now on. */
  | { readonly do: 'trust-next-root' }
  /** Leaves come from the next root. */
  | { readonly do: 'issue-by-next-root' }
  /** The old root is gone. */
  | { readonly do: 'drop-old-root' }
  | { readonly do: 'spoil'; readonly how: 'missing' | 'garbage' | 'truncated' | 'no-folder'; readonly forMs: number }
);

export interface PairReport {
  readonly tallies: readonly Tally[];
  readonly cart: AgentStatus;
  readonly prices: AgentStatus;
  /** Of both agents: what they warned of. */
  readonly warnings: readonly LoggedEvent[];
}

const certificateLifeMs = 10_000;

/**
 * Two agents on files alone: cart's app calls prices' app over HTTP, WebSocket and TCP while `steps` happen to the
 * folders, then everything is counted. Leaves live 10 s.
 */
export async function runFilesPair(
  style: FolderStyle,
  steps: readonly FolderStep[],
  forMs: number,
): Promise<PairReport> {
  await using stack = new AsyncDisposableStack();
  const http = stack.use(await startEchoApp());
  const tcp = stack.use(await startTcpApp());
  const keeper = stack.use(createKeeper(style));
  const prices = stack.use(await startPrices(keeper, http.port, tcp.address.port));
  const inbound = await prices.address('inbound');
  const cart = stack.use(await startCart(keeper, inbound.port));
  const callers = await startCallers({
    http: await cart.address('upstream prices:7002'),
    tcp: await cart.address('upstream prices:7003'),
    direct: () => ({ ...inbound, ...keeper.foreignClient() }),
  });
  const startedMs = performance.now();
  const until = (atMs: number) => sleep(Math.max(0, startedMs + atMs - performance.now()));
  for (const step of steps.toSorted((a, b) => a.atMs - b.atMs)) {
    await until(step.atMs);
    await keeper.take(step);
  }
  await until(forMs);
  const statuses = { cart: await cart.status(), prices: await prices.status() };
  const tallies = await callers.stop();
  const warnings = [cart, prices].flatMap(({ events }) => events.filter(({ level }) => level !== 'info'));
  return { tallies, ...statuses, warnings };
}

interface Keeper extends Disposable {
  readonly folders: Readonly<Record<'cart' | 'prices', IdentityFolder>>;
  take(step: FolderStep): Promise<void>;
  /** `orders`, which is no agent: an ordinary mTLS client that trusts both roots. */
  foreignClient(): { cert: string; key: string; ca: string };
}

/** Somebody else's certificate keeper: writes both folders. */
function createKeeper(style: FolderStyle): Keeper {
  const [first, next] = [createTestCa({ nowMs: Date.now() }), createTestCa({ nowMs: Date.now() })];
  let issuer: TestAuthority = first;
  let roots: readonly TestAuthority[] = [first];
  const folders = { cart: createIdentityFolder(style), prices: createIdentityFolder(style) };
  let client: TestCertificate;
  const fresh = (name: string) => {
    const nowMs = Date.now();
    return issuer.leaf(name, { notBeforeMs: nowMs - 1_000, notAfterMs: nowMs + certificateLifeMs });
  };
  const rotate = (): void => {
    folders.cart.write(fresh('cart'), roots);
    folders.prices.write(fresh('prices'), roots);
    client = issuer.leaf('orders');
  };
  rotate();
  return {
    folders,
    foreignClient: () => ({ cert: client.chainPem, key: client.keyPem, ca: first.bundlePem + next.bundlePem }),
    async take(step) {
      if (step.do === 'spoil') {
        const heals = [folders.cart.spoil(step.how), folders.prices.spoil(step.how)];
        await sleep(step.forMs);
        for (const heal of heals) heal();
        return;
      }
      if (step.do === 'trust-next-root') roots = [first, next];
      if (step.do === 'issue-by-next-root') issuer = next;
      if (step.do === 'drop-old-root') roots = [next];
      rotate();
    },
    [Symbol.dispose]() {
      for (const folder of Object.values(folders)) folder[Symbol.dispose]();
    },
  };
}

const common = { trustDomain: 'shop.example' };
const id = (workload: string): string => `spiffe://shop.example/ns/default/sa/${workload}`;

function startPrices({ folders }: Keeper, httpPort: number, tcpPort: number): Promise<AgentProcess> {
  const allow = [id('cart'), id('orders')];
  const ports = [
    { port: 7002, app: `127.0.0.1:${httpPort}`, allow },
    { port: 7003, app: `127.0.0.1:${tcpPort}`, protocol: 'tcp', allow },
  ];
  const identity = { files: { dir: folders.prices.path } };
  return startReadyAgent({ ...common, workload: 'prices', identity, inbound: { listen: '127.0.0.1:0', ports } });
}

function startCart({ folders }: Keeper, inboundPort: number): Promise<AgentProcess> {
  const peer = { workload: 'prices', spiffeId: id('prices'), endpoints: [`127.0.0.1:${inboundPort}`] };
  const upstreams = [
    { ...peer, port: 7002, listen: '127.0.0.1:0' },
    { ...peer, port: 7003, listen: '127.0.0.1:0', protocol: 'tcp' },
  ];
  return startReadyAgent({
    ...common,
    workload: 'cart',
    identity: { files: { dir: folders.cart.path } },
    outbound: { upstreams },
  });
}

/** Says back what it is sent, over HTTP and WebSocket. */
async function startEchoApp(): Promise<{ readonly port: number } & Disposable> {
  const answer: RequestListener = (request, response) => void request.pipe(response);
  const server = createServer({ keepAliveTimeout: 60_000 }, answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const webSockets = new WebSocketServer({ server });
  webSockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data as Buffer)));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.dispose]() {
      server.close();
      server.closeAllConnections();
      for (const socket of webSockets.clients) socket.terminate();
    },
  };
}
