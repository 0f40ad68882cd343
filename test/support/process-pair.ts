import type { Address, PortProtocol } from '#agent/config-types.ts';
import { startReadyAgent, type AgentProcess } from './agent-process.ts';
import { createIdentityFolder } from './identity-folder.ts';
import { createTestCa, type TestAuthority } from './test-ca.ts';

/** One port of prices, by its number on the wire. */
export interface PairPort {
  readonly port: number;
  /** Where prices' app listens. */
  readonly app: number;
  readonly protocol: PortProtocol;
  /** Workloads that may call it; cart alone when not given. */
  readonly allow?: readonly string[];
  /** As in `agent.yaml`. */
  readonly proxyProtocol?: 'v2';
  readonly listen?: string;
  readonly mode?: 'permissive';
}

export interface PairSettings {
  readonly ports: readonly PairPort[];
  /** `limits` of both agents. */
  readonly limits?: object;
  readonly httpProxy?: boolean;
  /** A file for prices' access log. */
  readonly accessLog?: string;
  /** Further upstreams of cart, as in `agent.yaml`. */
  readonly upstreams?: readonly object[];
  /** Of prices. */
  readonly workers?: number;
  /** Where prices' peers come in; 127.0.0.1 when not given. */
  readonly listen?: string;
}

/** Two real agents on files alone, cart → prices, each a process of its own. */
export interface ProcessPair extends AsyncDisposable {
  readonly ca: TestAuthority;
  readonly cart: AgentProcess;
  readonly prices: AgentProcess;
  readonly inbound: Address;
  /** Where cart's app reaches that port of prices. */
  upstreamPort(port: number): Promise<number>;
}

export const spiffeIdOf = (workload: string): string => `spiffe://shop.example/ns/default/sa/${workload}`;

export async function startProcessPair({ ports, limits = {}, ...more }: PairSettings): Promise<ProcessPair> {
  await using stack = new AsyncDisposableStack();
  const ca = createTestCa({ nowMs: Date.now() });
  const common = (workload: string): object => {
    const folder = stack.use(createIdentityFolder());
    folder.write(ca.leaf(workload), [ca]);
    return { workload, trustDomain: 'shop.example', identity: { files: { dir: folder.path } }, limits };
  };
  const inboundPorts = ports.map(({ app, allow = ['cart'], ...port }) => ({
    ...{ ...port, app: `127.0.0.1:${app}` },
    allow: allow.map(spiffeIdOf),
  }));
  const inboundConfig = { listen: more.listen ?? '127.0.0.1:0', ports: inboundPorts };
  const { workers = 1 } = more;
  const log = more.accessLog === undefined ? {} : { accessLog: { to: { file: more.accessLog } } };
  const prices = stack.use(await startReadyAgent({ ...common('prices'), workers, inbound: inboundConfig, ...log }));
  const inbound = await prices.address('inbound');
  const peer = { workload: 'prices', spiffeId: spiffeIdOf('prices'), endpoints: [`127.0.0.1:${inbound.port}`] };
  const own = ports.map(({ port, protocol }) => ({ ...peer, port, protocol, listen: '127.0.0.1:0' }));
  const upstreams = [...own, ...(more.upstreams ?? [])];
  const httpProxy = more.httpProxy === true ? { httpProxy: { listen: '127.0.0.1:0' } } : {};
  const cart = stack.use(await startReadyAgent({ ...common('cart'), outbound: { upstreams, ...httpProxy } }));
  const all = stack.move();
  return {
    ...{ ca, cart, prices, inbound },
    upstreamPort: async (port) => (await cart.address(`upstream prices:${port}`)).port,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
