import type { InboundPortConfig } from '#agent/config-types.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { proxyHeader, type ProxiedConnection } from '#agent/proxy-protocol/header.ts';
import type { Proof } from './inbound-parts.ts';

/**
 * Tells an app whose port asks for it who calls, before anything else on that connection: by the PROXY protocol, in one
 * write. What the caller sends comes behind, whatever it looks like (A48).
 */
export function announce(app: Pipe, { proxyProtocol }: InboundPortConfig, proof: Proof): void {
  if (proxyProtocol === undefined) return;
  const { caller: source, agent: destination } = proof.link;
  const { spiffeIdTlv } = proxyProtocol;
  app.write(proxyHeader({ source, destination, spiffeIdTlv, proved: provedBy(proof) }));
  app.flush();
}

function provedBy({ peer, link: { tlsVersion } }: Proof): ProxiedConnection['proved'] {
  if (peer.spiffeId === undefined || tlsVersion === undefined) return undefined;
  return { spiffeId: peer.spiffeId, tlsVersion, commonName: peer.svid.commonName };
}
