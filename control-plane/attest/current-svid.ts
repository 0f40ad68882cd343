import type { Reader } from '#control-plane/store/store.ts';
import type { Peer } from '#proto/mesh-server.ts';
import { ok, refuse } from '#runtime/result.ts';
import type { Attesting } from './attestor.ts';

/** The SVID of the TLS connection, verified for this very call, of a workload that is still registered. */
export function attestByCurrentSvid(store: Reader, peer: Peer): Attesting {
  switch (peer.kind) {
    case 'anonymous':
      return refuse({ problem: 'no-current-svid' });
    case 'bad-svid':
      return refuse({ problem: 'bad-current-svid', detail: peer.problem });
    case 'svid': {
      const { spiffeId } = peer.svid;
      if (store.workloadById(spiffeId) === undefined) return refuse({ problem: 'not-registered', spiffeId });
      return ok({ method: 'current-svid', spiffeId, consume: () => ok(undefined) });
    }
  }
}
