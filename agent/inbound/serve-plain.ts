import type { InboundPortConfig } from '#agent/config-types.ts';
import { ProofLife } from '#agent/tunnel/proof-life.ts';
import type { HttpConnection } from '#agent/http/service.ts';
import { createInboundCaller } from './inbound-caller.ts';
import type { InboundParts } from './inbound-parts.ts';
import type { AcceptedLink } from './mtls-server.ts';

/** Plain mTLS for one port, until the peer's certificate expires: it cannot prove another. */
export function servePlain(
  { socket, pipe, peer, facts }: AcceptedLink,
  parts: InboundParts,
  port: InboundPortConfig,
): HttpConnection {
  const caller = createInboundCaller(parts, { peer, link: facts });
  const connection = caller.serve(pipe, port);
  const proofs = { ownNotAfterMs: Infinity, peerNotAfterMs: peer.svid.notAfterMs }; // ours is the peer's business
  const life = new ProofLife(proofs, parts.clock, {
    onAging: () => undefined,
    onClosing: () => undefined,
    onExpired: () => (parts.whenExpired === 'end' ? connection.destroy() : connection.drain()),
  });
  socket.once('close', () => {
    life.stop();
    caller.close();
  });
  return connection;
}
