import {
  performServerHandshake,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { InboundPortConfig } from '#agent/config-types.ts';
import type { VerifiedPeer } from '#agent/tls/verified-peer.ts';
import { cut } from '#agent/tunnel/cut.ts';
import type { HttpConnection } from '#agent/http/serve.ts';
import { createUnreadCeiling } from '#agent/tunnel/unread-ceiling.ts';
import { tunnelSettings, tunnelWindowBytes } from '#agent/tunnel/settings.ts';
import type { InboundParts } from './caller.ts';
import { openInboundTcp, serveInboundHttp } from './serve.ts';

export interface InboundSession {
  /** Takes no new stream: the peer ends its idle ones and goes elsewhere with the next. */
  drain(): void;
  destroy(): void;
}

/** RFC 9113 §7: the request needs HTTP/1.1, which this port speaks by ALPN. */
const http11Required = 0xd;

/** How long a peer has after GOAWAY to end its idle streams itself, as our agents do. */
const goodbyeMs = 1_000;

/** How long a peer that was refused may go on sending. */
const refusalLingerMs = 1_000;

/** The inbound end of a tunnel: CONNECT streams of one verified peer. */
export function serveTunnel(
  parts: InboundParts,
  socket: TLSSocket,
  { peer, ports }: { peer: VerifiedPeer; ports: ReadonlyMap<number, InboundPortConfig> },
): InboundSession {
  const session: ServerHttp2Session = performServerHandshake(socket, {
    settings: tunnelSettings,
    maxSessionMemory: 128,
  });
  session.setLocalWindowSize(tunnelWindowBytes);
  session.on('error', () => undefined); // 'close' follows
  socket.once('end', () => session.destroy()); // the socket may be half open, a tunnel may not: the peer is gone
  const leftMs = peer.svid.notAfterMs - parts.clock.now();
  const expiry = parts.clock.timer(leftMs, () => {
    if (parts.whenExpired === 'end') session.destroy();
    else session.close(); // GOAWAY; what is in flight lives on
  });
  session.once('close', () => expiry.cancel());
  const unread = createUnreadCeiling(parts.clock);
  const connections = new Set<HttpConnection>();
  session.on('stream', (stream, headers) => {
    unread.add(stream);
    stream.on('error', () => undefined); // 'close' and 'aborted' tell
    if (headers[':method'] !== 'CONNECT') return stream.close(http11Required);
    const port = ports.get(authorityPort(headers));
    if (!port) return refuseStream(parts, stream, 404);
    if (parts.clock.now() >= peer.svid.notAfterMs) return refuseStream(parts, stream, 401);
    if (port.protocol === 'tcp') void acceptOpaque(parts, stream, { peer, port });
    else acceptHttp(parts, stream, { peer, port, connections });
  });
  return {
    drain() {
      session.close(); // GOAWAY; bare, it would leave an idle session deaf to its own end
      const idle = parts.clock.timer(goodbyeMs, () => connections.forEach((connection) => connection.drain()));
      session.once('close', () => idle.cancel());
    },
    destroy: () => session.destroy(),
  };
}

function acceptHttp(
  parts: InboundParts,
  stream: ServerHttp2Stream,
  { connections, ...caller }: { peer: VerifiedPeer; port: InboundPortConfig; connections: Set<HttpConnection> },
): void {
  stream.respond({ ':status': 200 });
  const connection = serveInboundHttp(parts, stream, caller);
  connections.add(connection);
  stream.once('close', () => connections.delete(connection));
}

async function acceptOpaque(
  parts: InboundParts,
  stream: ServerHttp2Stream,
  caller: { peer: VerifiedPeer; port: InboundPortConfig },
): Promise<void> {
  stream.pause();
  const opened = await openInboundTcp(parts, caller);
  if (stream.destroyed || stream.aborted) return cut(stream);
  if (!opened.ok) return refuseStream(parts, stream, opened.reason === 'app-unreachable' ? 503 : 403);
  stream.respond({ ':status': 200 });
  return opened.value(stream);
}

/**
 * Answers, throws away what the peer still sends, and ends the stream if the peer does not: unread, its bytes would lie
 * in memory. Not at once, because a reset in the same read would hide the answer from some clients.
 */
function refuseStream({ clock }: InboundParts, stream: ServerHttp2Stream, status: 401 | 403 | 404 | 503): void {
  stream.respond({ ':status': status }, { endStream: true });
  stream.resume();
  const linger = clock.timer(refusalLingerMs, () => stream.close());
  stream.once('close', () => linger.cancel());
}

/** The port of `:authority`, e.g. 7002 of `10.0.0.7:7002` or `[::1]:7002`; 0 when there is none. */
function authorityPort(headers: IncomingHttpHeaders): number {
  const [, digits] = /:(\d{1,5})$/.exec(headers[':authority'] ?? '') ?? [];
  return Number(digits ?? 0);
}
