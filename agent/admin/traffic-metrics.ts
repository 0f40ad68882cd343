import type { AgentCounters } from './metrics.ts';
import { durationBoundsMs, type Traffic } from './traffic.ts';

/** A metric with its values, as a Prometheus client takes them over. */
export interface Measure {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly aggregator: 'sum';
  readonly values: readonly {
    /** When it is not `name`. */
    readonly metricName?: string;
    readonly labels: Readonly<Record<string, string | number>>;
    readonly value: number;
  }[];
}

const directions = ['outbound', 'inbound', 'gateway'] as const;
type Direction = (typeof directions)[number];

const classes = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'];

/** What passes, by direction: `outbound` from the app, `inbound` from peers, `gateway` from outside the mesh. */
export function trafficMetrics(counters: AgentCounters): readonly Measure[] {
  const { requestsInFlight, inboundRequestsInFlight, gatewayRequestsInFlight } = counters;
  const { connections, inboundConnections, gatewayConnections } = counters;
  return [
    gauge('eastwest_requests_in_flight', 'Requests that were admitted and are not over, by direction.', {
      ...{ outbound: requestsInFlight, inbound: inboundRequestsInFlight, gateway: gatewayRequestsInFlight },
    }),
    gauge('eastwest_connections', 'Connections of callers that are open now, by direction.', {
      ...{ outbound: connections, inbound: inboundConnections, gateway: gatewayConnections },
    }),
    {
      ...measure(
        'eastwest_request_duration_seconds',
        'From a request’s whole head to the end of its answer, by direction.',
      ),
      type: 'histogram',
      values: directions.flatMap((direction) => buckets(direction, counters[direction])),
    },
    {
      ...measure(
        'eastwest_responses_total',
        'Finished requests by direction and class of their status; none: no answer.',
      ),
      type: 'counter',
      values: directions.flatMap((direction) =>
        counters[direction].statuses.map((value, at) => ({ labels: { direction, class: classes[at] ?? '' }, value })),
      ),
    },
    {
      ...measure('eastwest_bytes_total', 'Of bodies and opaque streams that have ended, by direction and way.'),
      type: 'counter',
      values: directions.flatMap((direction) => [
        { labels: { direction, way: 'request' }, value: counters[direction].requestBytes },
        { labels: { direction, way: 'response' }, value: counters[direction].responseBytes },
      ]),
    },
    {
      ...measure('eastwest_failures_total', 'What came to nothing, by direction, reason and peer.'),
      type: 'counter',
      values: directions.flatMap((direction) =>
        [...counters[direction].failures].flatMap(([reason, peers]) =>
          Array.from(peers.entries(), ([peer, value]) => ({ labels: { direction, reason, peer }, value })),
        ),
      ),
    },
  ];
}

function measure(name: string, help: string) {
  return { name, help, aggregator: 'sum' } as const;
}

function gauge(name: string, help: string, of: Readonly<Record<Direction, number>>): Measure {
  const values = directions.map((direction) => ({ labels: { direction }, value: of[direction] }));
  return { ...measure(name, help), type: 'gauge', values };
}

/** Each bucket holds those below it too. */
function buckets(direction: Direction, { durations, durationSumMs }: Traffic): Measure['values'] {
  const name = 'eastwest_request_duration_seconds';
  let below = 0;
  const values = durations.map((count, at) => {
    const bound = durationBoundsMs[at];
    below += count;
    const le = bound === undefined ? '+Inf' : bound / 1_000;
    return { metricName: `${name}_bucket`, labels: { direction, le }, value: below };
  });
  return [
    ...values,
    { metricName: `${name}_sum`, labels: { direction }, value: durationSumMs / 1_000 },
    { metricName: `${name}_count`, labels: { direction }, value: below },
  ];
}
