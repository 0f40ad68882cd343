import type { Socket } from 'node:net';
import { createServer, type TLSSocket, type Server } from 'node:tls';
import type { Address, InboundConfig, InboundPortConfig } from '#agent/config-types.ts';
import type { HttpConnection } from '#agent/http/service.ts';
import type { IdentitySnapshot } from '#agent/identity/store.ts';
import { createProofReport } from '#agent/proof/proof-report.ts';
import { TlsPipe } from '#agent/pipe/tls-pipe.ts';
import { serverTlsOptions } from '#agent/tls/contexts.ts';
import { verifyPeer } from '#agent/tls/verified-peer.ts';
import { listen } from '#agent/listen.ts';
import { maxOpenFiles } from '#runtime/open-files.ts';
import type { InboundParts } from './inbound-parts.ts';
import { createHandshakes } from './handshakes.ts';
import { createInboundCaller } from './inbound-caller.ts';
import { servePlain, type AcceptedLink } from './serve-plain.ts';
import { serveTunnel, type TunnelParts } from './tunnel-server.ts';

export interface InboundListener {
  /** Where peers reach the tunnel. */
  readonly address: Address;
  /** Connections that are open. */
  readonly connections: number;
  /** Accepts nothing new, and says goodbye to whom it can. */
  drain(): void;
  destroy(): void;
}

/** Each caller's connection needs one to the app, and the app's side of the agent needs sockets too. */
const openFilesForPeers = Math.floor((maxOpenFiles() ?? Infinity) * 0.4);
const handshakeCeilings = { total: 512, perAddress: 256 };
/** A caller that vanished without a word is noticed by TCP keep-alive; without it its streams would stay for good. */
const keepAliveMs = 30_000;

type Serve = (accepted: AcceptedLink) => HttpConnection;

/**
 * Accepts mTLS on the inbound port, and on the ports' own listeners. ALPN `h2`: tunnels and requests of HTTP/2;
 * `http/1.1`: the first HTTP port; none: the first port that need not be HTTP.
 */
export async function openInbound(parts: InboundParts, config: InboundConfig): Promise<InboundListener> {
  const connections = new Set<HttpConnection>();
  const servers: Server[] = [];
  const open = async (address: Address, serve: Serve): Promise<Address> => {
    const server = await createMtlsServer(parts, (accepted) => {
      const connection = serve(accepted);
      connections.add(connection);
      accepted.socket.once('close', () => connections.delete(connection));
    });
    servers.push(server);
    return listen(server, address);
  };
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
  for (const port of config.ports) {
    if (port.mtls) await open(port.mtls, (accepted) => servePlain(accepted, parts, port));
  }
  const unsubscribe = parts.identity.subscribe((snapshot: IdentitySnapshot) => {
    for (const server of servers) server.setSecureContext(serverTlsOptions(snapshot));
  });
  return {
    address,
    get connections() {
      return connections.size;
    },
    drain() {
      unsubscribe();
      for (const server of servers) server.close();
      for (const connection of [...connections]) connection.drain();
    },
    destroy() {
      for (const connection of [...connections]) connection.destroy();
    },
  };
}

/** Hands over connections whose other end has proved itself; counts and logs the others. */
async function createMtlsServer(parts: InboundParts, onAccepted: (accepted: AcceptedLink) => void): Promise<Server> {
  const { identity, clock, counters, emit } = parts;
  const first = await identity.first(new AbortController().signal);
  const handshakes = createHandshakes<IdentitySnapshot>(handshakeCeilings);
  const refuse = (socket: TLSSocket, reason: string): void => {
    counters.handshakesRefused += 1;
    emit({ event: 'inbound.handshake-refused', from: socket.remoteAddress ?? 'unknown', reason });
    socket.destroy(); // Node leaves it open, also after its own deadline
  };
  const server = createServer({
    ...serverTlsOptions(first),
    noDelay: true,
    allowHalfOpen: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveMs,
    ALPNCallback: ({ protocols }) => ['h2', 'http/1.1'].find((protocol) => protocols.includes(protocol)),
  });
  server.maxConnections = Math.min(parts.maxConnections, openFilesForPeers);
  server.on('connection', (socket: Socket) => handshakes.begun(socket, identity.current() ?? first));
  server.on('secureConnection', (socket) => {
    const shown = handshakes.finished(socket);
    socket.on('error', () => undefined); // 'close' follows
    const bundle = identity.current()?.bundle;
    const verified = bundle && verifyPeer(socket, { bundle, nowMs: clock.now() });
    if (!verified?.ok) return refuse(socket, verified ? verified.reason : 'no-identity');
    if (shown === undefined) return refuse(socket, 'ECONNRESET'); // its TCP connection is gone already
    onAccepted({ socket, tls: socket, pipe: new TlsPipe(socket), peer: verified.value, shown });
  });
  server.on('tlsClientError', (error, socket) => refuse(socket, handshakeReason(error, socket)));
  return server;
}

/** Without ALPN the caller speaks the workload's opaque protocol where it has one; otherwise HTTP. */
function plainPort({ ports }: InboundConfig, alpn: string | false | null): InboundPortConfig {
  const isWanted = ({ protocol }: InboundPortConfig): boolean =>
    alpn === 'http/1.1' ? protocol !== 'tcp' : protocol === 'tcp';
  const port = ports.find(isWanted) ?? ports.find(({ protocol }) => protocol === 'auto') ?? ports[0];
  if (!port) throw new Error('an inbound without ports passed the configuration check');
  return port;
}

/** OpenSSL's verdict on the caller's chain where there is one: Node reports that as a mere hang-up. */
function handshakeReason(error: Error & { code?: string }, socket: TLSSocket): string {
  const verdict: unknown = socket.authorizationError; // a code such as CERT_HAS_EXPIRED, whatever its type says
  return typeof verdict === 'string' ? verdict : (error.code ?? 'handshake-failed');
}
