import type { Socket } from 'node:net';
import { createServer, type TLSSocket, type Server } from 'node:tls';
import type { Address, InboundConfig, InboundPortConfig } from '#agent/config-types.ts';
import type { HttpConnection } from '#agent/http/serve.ts';
import type { IdentitySnapshot, IdentityStore } from '#agent/identity/store.ts';
import { serverTlsOptions } from '#agent/tls/contexts.ts';
import { verifyPeer, type VerifiedPeer } from '#agent/tls/verified-peer.ts';
import { listen } from '#agent/listen.ts';
import { maxOpenFiles } from '#runtime/open-files.ts';
import type { InboundParts } from './caller.ts';
import { openInboundTcp, serveInboundHttp } from './serve.ts';
import { createHandshakes } from './handshakes.ts';
import { serveTunnel } from './tunnel.ts';

export interface InboundListener {
  /** Where peers reach the tunnel. */
  readonly address: Address;
  /** Connections that are open. */
  readonly connections: number;
  /** Accepts nothing new, and says goodbye to whom it can. */
  drain(): void;
  destroy(): void;
}

interface Connection {
  drain(): void;
  destroy(): void;
}

/** Each caller's connection needs one to the app, and the app's side of the agent needs sockets too. */
const maxConnections = Math.min(20_000, Math.floor((maxOpenFiles() ?? Infinity) * 0.4));
const maxHandshakes = 512;
/** A caller that vanished without a word is noticed by TCP keep-alive; without it its streams would stay for good. */
const keepAliveMs = 30_000;

/**
 * Accepts mTLS on the inbound port, and on the ports' own plain listeners. ALPN `h2` alone is a tunnel; a client that
 * also offers `http/1.1` is an ordinary one and gets that; no ALPN is plain mTLS for the first port of the workload.
 */
export async function openInbound(
  parts: InboundParts,
  config: InboundConfig,
  identity: IdentityStore,
): Promise<InboundListener> {
  const first = await identity.first(new AbortController().signal);
  const ports = new Map(config.ports.map((port) => [port.port, port]));
  const connections = new Set<Connection>();
  const servers: Server[] = [];
  const handshakes = createHandshakes(maxHandshakes);
  const open = async (
    address: Address,
    serve: (socket: TLSSocket, peer: VerifiedPeer) => Connection,
  ): Promise<Address> => {
    const server = createServer({
      ...serverTlsOptions(first),
      noDelay: true,
      allowHalfOpen: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMs,
      ALPNCallback: ({ protocols }) => chooseProtocol(protocols, address === config.listen),
    });
    server.maxConnections = maxConnections;
    server.on('connection', (socket: Socket) => handshakes.begun(socket));
    server.on('secureConnection', (socket) => {
      handshakes.finished(socket);
      accept(parts, socket, { identity, connections, serve });
    });
    server.on('tlsClientError', (error, socket) => {
      parts.counters.handshakesRefused += 1;
      parts.emit({
        event: 'inbound.handshake-refused',
        from: socket.remoteAddress ?? 'unknown',
        reason: handshakeReason(error, socket),
      });
      socket.destroy(); // Node leaves it open, also after its own deadline
    });
    servers.push(server);
    return listen(server, address);
  };
  const address = await open(config.listen, (socket, peer) =>
    socket.alpnProtocol === 'h2'
      ? serveTunnel(parts, socket, { peer, ports })
      : servePlain(parts, socket, { peer, port: plainPort(config, socket) }),
  );
  for (const port of config.ports) {
    if (port.mtls) await open(port.mtls, (socket, peer) => servePlain(parts, socket, { peer, port }));
  }
  const unsubscribe = identity.subscribe((snapshot: IdentitySnapshot) => {
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
      for (const connection of connections) connection.drain();
    },
    destroy() {
      for (const connection of connections) connection.destroy();
    },
  };
}

function accept(
  { clock, counters, emit }: InboundParts,
  socket: TLSSocket,
  {
    identity,
    connections,
    serve,
  }: {
    identity: IdentityStore;
    connections: Set<Connection>;
    serve: (socket: TLSSocket, peer: VerifiedPeer) => Connection;
  },
): void {
  socket.on('error', () => undefined); // 'close' follows
  const bundle = identity.current()?.bundle;
  const verified = bundle && verifyPeer(socket, { bundle, nowMs: clock.now() });
  if (!verified?.ok) {
    counters.handshakesRefused += 1;
    const reason = verified ? verified.reason : 'no-identity';
    emit({ event: 'inbound.handshake-refused', from: socket.remoteAddress ?? 'unknown', reason });
    socket.destroy();
    return;
  }
  const connection = serve(socket, verified.value);
  connections.add(connection);
  socket.once('close', () => connections.delete(connection));
}

/** Plain mTLS for one port: HTTP/1.1 or opaque, until the peer's certificate expires. */
function servePlain(
  parts: InboundParts,
  socket: TLSSocket,
  caller: { peer: VerifiedPeer; port: InboundPortConfig },
): Connection {
  const leftMs = caller.peer.svid.notAfterMs - parts.clock.now();
  if (caller.port.protocol === 'tcp') {
    const expiry = parts.whenExpired === 'end' ? parts.clock.timer(leftMs, () => socket.destroy()) : undefined;
    socket.once('close', () => expiry?.cancel());
    socket.pause();
    void openInboundTcp(parts, caller).then((opened) => (opened.ok ? opened.value(socket) : void socket.destroy()));
    return { drain: () => undefined, destroy: () => socket.destroy() };
  }
  const connection: HttpConnection = serveInboundHttp(parts, socket, caller);
  const expiry = parts.clock.timer(leftMs, () => (parts.whenExpired === 'end' ? socket.destroy() : connection.drain()));
  socket.once('close', () => expiry.cancel());
  return { drain: () => connection.drain(), destroy: () => socket.destroy() };
}

/** Without ALPN the caller speaks the workload's opaque protocol where it has one; otherwise HTTP. */
function plainPort(config: InboundConfig, socket: TLSSocket): InboundPortConfig {
  const wanted = socket.alpnProtocol === 'http/1.1' ? 'http' : 'tcp';
  const [first] = config.ports;
  const port = config.ports.find(({ protocol }) => protocol === wanted) ?? first;
  if (!port) throw new Error('an inbound without ports passed the configuration check');
  return port;
}

function chooseProtocol(offered: readonly string[], hasTunnel: boolean): string | undefined {
  if (offered.includes('http/1.1')) return 'http/1.1';
  return hasTunnel && offered.includes('h2') ? 'h2' : undefined;
}

/** OpenSSL's verdict on the caller's chain where there is one: Node reports that as a mere hang-up. */
function handshakeReason(error: Error & { code?: string }, socket: TLSSocket): string {
  const verdict: unknown = socket.authorizationError; // a code such as CERT_HAS_EXPIRED, whatever its type says
  return typeof verdict === 'string' ? verdict : (error.code ?? 'handshake-failed');
}
