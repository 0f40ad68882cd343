/**
 * What the data path counts: plain numbers, added to in place. `/metrics` and `/status` read them; nothing is computed
 * until somebody asks.
 */
export interface AgentCounters {
  /** HTTP requests begun by our own app. */
  requests: number;
  /** Of those, ended with an error of ours or a broken response. */
  failed: number;
  /** Calls of our own app that we refused: unknown destination, ambiguous message. */
  denied: number;
  /** Opaque outbound streams (TCP, WebSocket) cut by us or by the peer's agent. */
  resets: number;
  /** Opaque outbound streams begun. */
  streams: number;
  /** Opaque outbound streams open now. */
  openStreams: number;
  /** Requests and opaque streams that reached us from peers. */
  inboundRequests: number;
  inboundDenied: number;
  inboundFailed: number;
  inboundOpenStreams: number;
  /** Inbound handshakes that ended without a verified peer. */
  handshakesRefused: number;
  /** Sessions dialled to peers, and those that did not come to a verified peer. */
  sessionsOpened: number;
  sessionsFailed: number;
  /** Certificates that peers proved anew on a session, and proofs that were none, silence until expiry included. */
  reProofs: number;
  proofsFailed: number;
  readonly requestsByPeer: LabelledCounter;
  readonly inboundRequestsByPeer: LabelledCounter;
}

/** One number per label, for at most `maxLabels` labels; whoever comes later is counted together as `other`. */
export interface LabelledCounter {
  add(label: string): void;
  entries(): IterableIterator<[label: string, count: number]>;
}

export const maxLabels = 200;
const maxLabelLength = 512;

function createLabelledCounter(): LabelledCounter {
  const counts = new Map<string, number>();
  return {
    add(label) {
      const count = counts.get(label);
      if (count !== undefined) counts.set(label, count + 1);
      else if (counts.size < maxLabels && label.length <= maxLabelLength) counts.set(label, 1);
      else counts.set('other', (counts.get('other') ?? 0) + 1);
    },
    entries: () => counts.entries(),
  };
}

export function createCounters(): AgentCounters {
  return {
    requests: 0,
    failed: 0,
    denied: 0,
    resets: 0,
    streams: 0,
    openStreams: 0,
    inboundRequests: 0,
    inboundDenied: 0,
    inboundFailed: 0,
    inboundOpenStreams: 0,
    handshakesRefused: 0,
    sessionsOpened: 0,
    sessionsFailed: 0,
    reProofs: 0,
    proofsFailed: 0,
    requestsByPeer: createLabelledCounter(),
    inboundRequestsByPeer: createLabelledCounter(),
  };
}
