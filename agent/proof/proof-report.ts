import type { AgentEmit } from '#agent/events.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { X509Svid } from '#certs/svid.ts';
import type { ProofProblem } from './proof-exchange.ts';

/** Counts and logs what the peers of sessions prove, or fail to. */
export interface ProofReport {
  proved(svid: X509Svid): void;
  /** `silent`: the session's last certificate ran out while its peer could have proved another. */
  failed(peer: SpiffeId, reason: ProofProblem | 'silent'): void;
}

export interface ProofCounters {
  reProofs: number;
  proofsFailed: number;
}

/** `side`: who dialled the sessions that it is about. */
export function createProofReport(
  { counters, emit }: { readonly counters: ProofCounters; readonly emit: AgentEmit },
  side: 'dialled' | 'accepted',
): ProofReport {
  return {
    proved({ spiffeId: peer, serialHex, notAfterMs }) {
      counters.reProofs += 1;
      emit({ event: 'session.re-proved', peer, side, serialHex, notAfterMs });
    },
    failed(peer, reason) {
      counters.proofsFailed += 1;
      emit({ event: 'session.proof-failed', peer, side, reason });
    },
  };
}
