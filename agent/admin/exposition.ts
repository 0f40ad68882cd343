import type { AgentFacts, CounterName } from './status.ts';
import { trafficMetrics } from './traffic-metrics.ts';

type Gauges =
  | 'openStreams'
  | 'inboundOpenStreams'
  | 'endpointsAside'
  | 'sessionsOpen'
  | `${string}onnections`
  | `${string}InFlight`;

/** Help text of each counter; the compiler misses a new one here. */
const counterHelp: Readonly<Record<Exclude<CounterName, Gauges>, string>> = {
  requests: 'HTTP requests begun by the app.',
  failed: 'HTTP requests of the app that ended with an error of ours or a broken response.',
  denied: 'Calls of the app that were refused here.',
  resets: 'Opaque outbound streams that were cut.',
  streams: 'Opaque outbound streams begun.',
  inboundRequests: 'Requests and opaque streams from peers.',
  inboundDenied: 'Requests and opaque streams from peers that no rule admitted.',
  inboundFailed: 'Admitted requests and streams from peers that failed.',
  handshakesRefused: 'Inbound handshakes that ended without a verified peer.',
  plaintextAdmitted: 'Requests and opaque streams of plaintext callers that rules let in.',
  plaintextRefused: 'Those that were not, and plaintext connections to strict ports.',
  sessionsOpened: 'Sessions opened to peers.',
  sessionsFailed: 'Sessions to peers that could not be opened.',
  reProofs: 'Certificates that peers proved anew on an open session.',
  proofsFailed: 'Sessions ended because the peer’s new proof was none, or did not come before expiry.',
  tokensVerified: 'Access tokens verified by their signature; others were remembered.',
  gatewayRequests: 'HTTP requests from outside the mesh.',
  accessLinesDropped: 'Lines of the access log that its output did not take in time.',
};

export interface Exposition {
  readonly contentType: string;
  readonly text: string;
}

/** Renders the Prometheus text format. prom-client is imported at the first scrape: an agent nobody scrapes does without. */
export async function renderMetrics(facts: AgentFacts): Promise<Exposition> {
  const { AggregatorRegistry, Registry, Gauge, Counter } = await import('prom-client');
  const registry = new Registry();
  const registers = [registry];
  const count = (name: string, help: string, value: number) => new Counter({ name, help, registers }).inc(value);
  const gauge = (name: string, help: string, value: number) => new Gauge({ name, help, registers }).set(value);

  const { counters, identity, source, readiness, workers, tokens } = facts;
  for (const [name, help] of Object.entries(counterHelp)) {
    count(`eastwest_${toSnakeCase(name)}_total`, help, counters[name as CounterName]);
  }
  gauge('eastwest_open_streams', 'Opaque outbound streams open now.', counters.openStreams);
  gauge('eastwest_inbound_open_streams', 'Inbound streams open now.', counters.inboundOpenStreams);
  gauge('eastwest_sessions_open', 'Connections to peers that are open now.', counters.sessionsOpen);
  gauge('eastwest_endpoints_aside', 'Endpoints that could not be reached and rest.', counters.endpointsAside);
  for (const [name, help, labelled] of [
    ['eastwest_requests_by_peer_total', 'HTTP requests by the peer’s SPIFFE ID.', counters.requestsByPeer],
    ['eastwest_inbound_requests_by_peer_total', 'Inbound by the peer’s SPIFFE ID.', counters.inboundRequestsByPeer],
  ] as const) {
    const counter = new Counter({ name, help, labelNames: ['peer'], registers });
    for (const [peer, value] of labelled.entries()) counter.inc({ peer }, value);
  }
  const refusals = new Counter({
    ...{ name: 'eastwest_token_refusals_total', help: 'Requests whose access token was refused, by why.' },
    ...{ labelNames: ['reason'], registers },
  });
  for (const [reason, value] of counters.tokenRefusals.entries()) refusals.inc({ reason }, value);
  gauge('eastwest_ready', '1 when nothing blocks.', readiness.ready ? 1 : 0);
  const silent = workers.filter(({ state }) => state === 'silent').length;
  gauge('eastwest_workers_silent', 'Workers that do not answer: their numbers here are old.', silent);
  gauge('eastwest_identity_generation', 'Identities published since the start.', identity?.generation ?? 0);
  gauge(
    'eastwest_svid_not_after_seconds',
    'When the SVID expires; 0 without one.',
    (identity?.svid.notAfterMs ?? 0) / 1000,
  );
  count('eastwest_svid_rotations_total', 'SVIDs that replaced an earlier one.', source.rotations);
  count('eastwest_join_token_uses_total', 'Join tokens shown and accepted since the start.', source.joinTokenUses);
  gauge('eastwest_clock_skew_seconds', 'The issuer’s clock minus ours.', source.skewMs / 1000);
  gauge('eastwest_control_plane_connected', '1 while the watch stands.', source.controlPlane === 'connected' ? 1 : 0);
  const exchanges = new Counter({
    name: 'eastwest_token_exchanges_total',
    help: 'Tokens that issuers were asked for, by issuer and result.',
    labelNames: ['issuer', 'result'],
    registers,
  });
  for (const [label, value] of tokens?.exchanges.entries() ?? []) {
    const [issuer = '', result = ''] = label.split(' ');
    exchanges.inc({ issuer, result }, value);
  }
  gauge('eastwest_tokens_kept', 'Tokens that can be attached now.', tokens?.kept ?? 0);
  gauge('eastwest_token_age_seconds', 'Of the oldest of them; 0 without one.', (tokens?.oldestMs ?? 0) / 1000);
  gauge(
    'eastwest_token_soonest_end_seconds',
    'Until the first of them ends; 0 without one.',
    (tokens?.soonestEndMs ?? 0) / 1000,
  );
  const traffic = AggregatorRegistry.aggregate([[...trafficMetrics(counters)]]);
  return { contentType: registry.contentType, text: `${await registry.metrics()}\n${await traffic.metrics()}` };
}

function toSnakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
