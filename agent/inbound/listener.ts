import type { Socket } from 'node:net';
import type { Address, InboundConfig, InboundPortConfig } from '#agent/config-types.ts';
import type { HttpConnection } from '#agent/http/service.ts';
import type { IdentitySnapshot } from '#agent/identity/store.ts';
import { mtlsModeOf } from '#policy/decide.ts';
import { createProofReport } from '#agent/proof/proof-report.ts';
import type { InboundParts } from './inbound-parts.ts';
import { createHandshakes, handshakeCeilings } from './handshakes.ts';
import { createMtlsServer, type AcceptedLink, type MtlsServer } from './mtls-server.ts';
import { PlaintextDoor, PlaintextSeats } from './plaintext-door.ts';
import { createInboundCaller } from './inbound-caller.ts';
import { servePlain } from './serve-plain.ts';
import { serveTunnel, type TunnelParts } from './tunnel-server.ts';

export interface InboundListener {
  /** Where peers reach the tunnel. */
  readonly address: Address;
  /** Where callers of one port alone reach it. */
  readonly ports: readonly { readonly port: number; readonly address: Address }[];
  /** Connections that are open. */
  readonly connections: number;
  /** Accepts nothing new, and says goodbye to whom it can. */
  drain(): void;
  destroy(): void;
  /** The rules have changed: what runs and is not allowed any more ends. */
  reconsider(): void;
}

type Serve = (accepted: AcceptedLink) => HttpConnection;

/**
 * Accepts mTLS on the inbound port, and on the ports' own listeners, which take plaintext too where the port is
 * permissive. ALPN `h2`: tunnels and requests of HTTP/2; `http/1.1`: the first HTTP port; none: the first port that need
 * not be HTTP.
 */
export async function openInbound(parts: InboundParts, config: InboundConfig): Promise<InboundListener> {
  const connections = new Set<HttpConnection>();
  const servers: MtlsServer[] = [];
  const handshakes = createHandshakes<IdentitySnapshot>(handshakeCeilings(parts.worker?.of ?? 1));
  const isFull = (): boolean => connections.size >= parts.maxConnections;
  const onConnection = (socket: Socket, connection: HttpConnection): void => {
    connections.add(connection);
    socket.once('close', () => connections.delete(connection));
  };
  const open = async (address: Address, serve: Serve, plaintext?: PlaintextDoor): Promise<Address> => {
    const take = (accepted: AcceptedLink): void => onConnection(accepted.socket, serve(accepted));
    const server = await createMtlsServer(parts, { handshakes, plaintext, isFull, take });
    servers.push(server);
    return parts.listen(server.tcp, address);
  };
  const seats = new PlaintextSeats(parts.maxConnections);
  const observeModes = (): void => {
    for (const { port, listen } of config.ports) {
      if (listen !== undefined) parts.ledger.observe(port, mtlsModeOf(parts.policy(), port));
    }
  };
  observeModes();
  const tunnel: TunnelParts = {
    ...parts,
    report: createProofReport(parts, 'accepted'),
    portOf: (port) => parts.ports.get(port),
    openCaller: (proof) => createInboundCaller(parts, proof),
  };
  const address = await open(config.listen, (accepted) =>
    accepted.socket.alpnProtocol === 'h2'
      ? serveTunnel(accepted, tunnel)
      : servePlain(accepted, parts, plainPort(config, accepted.socket.alpnProtocol)),
  );
  const ports: { port: number; address: Address }[] = [];
  for (const port of config.ports) {
    if (!port.listen) continue;
    const door = new PlaintextDoor({ inbound: parts, port, seats, isFull, onConnection });
    const own = await open(port.listen, (accepted) => servePlain(accepted, parts, port), door);
    ports.push({ port: port.port, address: own });
  }
  return {
    address,
    ports,
    get connections() {
      return connections.size;
    },
    drain() {
      for (const server of servers) server.close();
      for (const connection of [...connections]) connection.drain();
    },
    destroy() {
      for (const connection of [...connections]) connection.destroy();
    },
    reconsider() {
      observeModes();
      for (const connection of [...connections]) connection.reconsider?.();
    },
  };
}

/** Without ALPN the caller speaks the workload's opaque protocol where it has one; otherwise HTTP. */
function plainPort({ ports }: InboundConfig, alpn: string | false | null): InboundPortConfig {
  const isWanted = ({ protocol }: InboundPortConfig): boolean =>
    alpn === 'http/1.1' ? protocol !== 'tcp' : protocol === 'tcp';
  const port = ports.find(isWanted) ?? ports.find(({ protocol }) => protocol === 'auto') ?? ports[0];
  if (!port) throw new Error('an inbound without ports passed the configuration check');
  return port;
}
