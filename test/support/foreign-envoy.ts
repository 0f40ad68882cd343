import { envoy, envoyHttp1 } from '#bench/subjects/envoy.ts';
import type { Place } from '#bench/subjects/subject.ts';
import { startForeignProgram } from './foreign-program.ts';

export type EnvoyRole =
  /** Takes plain HTTP/1.1, HTTP/2 or bytes, and speaks to its peer in the version named. */
  | { readonly side: 'egress'; readonly upstream: 'http1' | 'http2' }
  /** Demands cart's certificate and takes whatever ALPN is offered. */
  | { readonly side: 'ingress' };

/** One real Envoy, configured as in the bench: TLS 1.3 both ways, the peer's SPIFFE ID checked, RBAC for cart alone. */
export function startEnvoy(place: Place, role: EnvoyRole): Promise<AsyncDisposable> {
  const subject = role.side === 'egress' && role.upstream === 'http1' ? envoyHttp1 : envoy;
  const launch = role.side === 'egress' ? subject.egress(place) : subject.ingress(place);
  return startForeignProgram('envoy', launch, role.side === 'egress' ? place.egressPort : place.ingressPort);
}
