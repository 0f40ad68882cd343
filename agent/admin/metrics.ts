import { createLabelledCounter, type LabelledCounter } from './labelled-counter.ts';
import { Traffic } from './traffic.ts';

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
  /** Requests and opaque streams of plaintext callers that rules let in; those that were not, and connections to strict ports. */
  plaintextAdmitted: number;
  plaintextRefused: number;
  /** Sessions dialled to peers, and those that did not come to a verified peer. */
  sessionsOpened: number;
  sessionsFailed: number;
  /** Certificates that peers proved anew on a session, and proofs that were none, silence until expiry included. */
  reProofs: number;
  proofsFailed: number;
  /** Requests that were admitted and are not over yet. */
  requestsInFlight: number;
  inboundRequestsInFlight: number;
  gatewayRequestsInFlight: number;
  /** Open now: from the app, from peers, from outside the mesh. */
  connections: number;
  inboundConnections: number;
  gatewayConnections: number;
  /** Connections to peers that are open now. */
  sessionsOpen: number;
  /** Endpoints that are used only where there is nothing better, for they could not be reached. */
  endpointsAside: number;
  /** Requests from outside the mesh. */
  gatewayRequests: number;
  /** Lines of the access log that there was no room for. */
  accessLinesDropped: number;
  /** Access tokens of which a signature was checked and all was good; others were remembered. */
  tokensVerified: number;
  /** Those that were refused, by why. */
  readonly tokenRefusals: LabelledCounter;
  readonly requestsByPeer: LabelledCounter;
  readonly inboundRequestsByPeer: LabelledCounter;
  /** By the side that the request came from: the app, peers, outside the mesh. */
  readonly outbound: Traffic;
  readonly inbound: Traffic;
  readonly gateway: Traffic;
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
    plaintextAdmitted: 0,
    plaintextRefused: 0,
    sessionsOpened: 0,
    sessionsFailed: 0,
    reProofs: 0,
    proofsFailed: 0,
    requestsInFlight: 0,
    inboundRequestsInFlight: 0,
    gatewayRequestsInFlight: 0,
    connections: 0,
    inboundConnections: 0,
    gatewayConnections: 0,
    sessionsOpen: 0,
    endpointsAside: 0,
    gatewayRequests: 0,
    accessLinesDropped: 0,
    tokensVerified: 0,
    tokenRefusals: createLabelledCounter(),
    requestsByPeer: createLabelledCounter(),
    inboundRequestsByPeer: createLabelledCounter(),
    outbound: new Traffic(),
    inbound: new Traffic(),
    gateway: new Traffic(),
  };
}
