/** What Eastwest has to reach: as a multiple of what peers reach, or as it is. */
export interface Target {
  readonly part: string;
  readonly scenarios: readonly string[];
  readonly metric: string;
  readonly says: string;
  readonly versus: Versus;
  readonly better: 'lower' | 'higher';
  readonly must: number;
  readonly aim?: number;
}

/** `peers`: the best of them. `metric`: when the peer's is another one. */
export type Versus =
  | { readonly kind: 'peers'; readonly subjects: readonly string[]; readonly metric?: string }
  | { readonly kind: 'absolute'; readonly unit: string };

const envoy: Versus = { kind: 'peers', subjects: ['envoy'] };
const nginx: Versus = { kind: 'peers', subjects: ['nginx'] };
const betterOfTwo: Versus = { kind: 'peers', subjects: ['nginx', 'haproxy'] };
const mib: Versus = { kind: 'absolute', unit: 'MiB' };
const microseconds: Versus = { kind: 'absolute', unit: 'µs' };
const many = ['get-16', 'get-64', 'get-256'];

export const targets: readonly Target[] = [
  ...lower('http', many, 'cpu_us_per_request', [
    { says: 'CPU per request', versus: envoy, must: 0.35, aim: 0.25 },
    { says: 'CPU per request', versus: betterOfTwo, must: 0.75, aim: 0.5 },
  ]),
  ...higher('http', many, 'requests_per_s', [
    { says: 'requests/s', versus: envoy, must: 3, aim: 4 },
    { says: 'requests/s', versus: nginx, must: 1.3 },
  ]),
  ...lower('http', ['get-1'], 'cpu_us_per_request', [
    { says: 'CPU per request', versus: envoy, must: 0.6 },
    { says: 'CPU per request', versus: nginx, must: Infinity, aim: 1 },
  ]),
  ...lower('http', ['get-1'], 'p50_ms', [
    { says: 'p50', versus: envoy, must: 0.65 },
    { says: 'p50', versus: nginx, must: 1.25, aim: 1 },
  ]),
  ...['p50_ms', 'p99_ms', 'p999_ms'].flatMap((metric) =>
    lower('tail', ['fixed-rate'], metric, [{ says: metricName(metric), versus: envoy, must: 1, aim: 0.7 }]),
  ),
  ...lower('http', ['body-1k'], 'cpu_us_per_request', [
    { says: 'CPU per request', versus: envoy, must: 0.5, aim: 0.35 },
  ]),
  ...lower('http', ['body-64k'], 'cpu_us_per_request', [
    { says: 'CPU per request', versus: envoy, must: 0.9, aim: 0.7 },
  ]),
  ...lower('grpc', ['grpc-unary', 'grpc-stream'], 'cpu_us_per_request', [
    { says: 'CPU per message', versus: envoy, must: 0.6, aim: 0.35 },
  ]),
  ...lower('tcp', ['tcp-echo'], 'cpu_us_per_request', [
    { says: 'CPU per message', versus: envoy, must: 0.7, aim: 0.5 },
  ]),
  ...higher('bulk', ['bulk-1', 'bulk-8'], 'mb_per_s', [{ says: 'MB/s', versus: envoy, must: 0.7, aim: 1 }]),
  ...higher('connections', ['connect'], 'ops_per_s', [{ says: 'connections/s', versus: envoy, must: 1.5, aim: 3 }]),
  ...lower('memory', ['idle'], 'rss_mb', [{ says: 'resident', versus: mib, must: 80, aim: 60 }]),
  ...lower('memory', ['idle'], 'rss_anon_mb', [{ says: 'anonymous', versus: mib, must: 45, aim: 35 }]),
  ...lower('memory', ['conns-1000', 'conns-10000'], 'growth_mb', [
    {
      says: "growth of the larger, against Envoy's egress",
      versus: { kind: 'peers', subjects: ['envoy'], metric: 'growth_egress_mb' },
      must: 1.2,
    },
  ]),
  ...lower('memory', ['conns-10000'], 'kept_mb', [{ says: 'kept after a minute', versus: mib, must: 20 }]),
  ...lower('policy', ['policy-64'], 'cpu_us_per_request', [
    {
      says: 'CPU per request, policy and identity headers on against off',
      versus: { kind: 'peers', subjects: ['eastwest-off'] },
      must: 1.15,
      aim: 1.05,
    },
  ]),
  ...lower('policy', ['rules-10', 'rules-10000'], 'decide_p50_us', [
    { says: 'one decision at p50', versus: microseconds, must: 3 },
  ]),
  ...lower('tokens', ['verify-miss'], 'cpu_us_per_op', [
    { says: 'CPU per token, against jose.jwtVerify', versus: { kind: 'peers', subjects: ['jose'] }, must: 1 },
  ]),
  ...higher('tokens', ['verify-hit'], 'ops_per_s', [
    { says: 'tokens/s', versus: { kind: 'absolute', unit: 'tokens/s' }, must: 150_000 },
  ]),
  ...lower('tokens', ['exchange-grpc'], 'cpu_us_per_op', [
    { says: 'CPU per exchange: 3,000/s on one core', versus: { kind: 'absolute', unit: 'CPU µs' }, must: 333 },
  ]),
];

type Bar = Pick<Target, 'says' | 'versus' | 'must' | 'aim'>;

function lower(part: string, scenarios: readonly string[], metric: string, bars: readonly Bar[]): readonly Target[] {
  return bars.map((bar) => ({ part, scenarios, metric, better: 'lower', ...bar }));
}

function higher(part: string, scenarios: readonly string[], metric: string, bars: readonly Bar[]): readonly Target[] {
  return bars.map((bar) => ({ part, scenarios, metric, better: 'higher', ...bar }));
}

function metricName(metric: string): string {
  return { p50_ms: 'p50', p99_ms: 'p99', p999_ms: 'p99.9' }[metric] ?? metric;
}
