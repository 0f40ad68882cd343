import { z } from 'zod';
import { isTrustDomain, parseSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import { readDocument } from '#runtime/documents.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { crossProblems, type ConfigProblem } from './config-rules.ts';
import type {
  Address,
  AgentConfig,
  InboundPortConfig,
  JoinTokenSource,
  LimitsConfig,
  UpstreamConfig,
} from './config-types.ts';
import { defaultConnect, defaultLimits, defaultServerFirst } from './defaults.ts';

const maxDocumentBytes = 1024 * 1024;
const addressForm = /^(?:\[([0-9a-fA-F:.]+)\]|([a-zA-Z0-9.-]{1,253})):(\d{1,5})$/;
const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

const durationHint = 'write a duration: 500ms, 25s, 2m or 1h';

const workloadName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'write a DNS label: a-z, 0-9 and "-", at most 63, e.g. prices');
const trustDomain = z
  .string()
  .refine(isTrustDomain, 'write a trust domain: a-z, 0-9, ".", "-", "_", e.g. shop.example');
const path = z.string().min(1, 'write a path').max(4096);
const portNumber = z.int('write a port, 1 to 65535').min(1).max(65_535);
const durationMs = z
  .string(durationHint)
  .regex(/^[1-9]\d{0,8}(ms|s|m|h)$/, durationHint)
  .transform((text) => parseInt(text, 10) * unitMs[/[a-z]+/.exec(text)![0] as keyof typeof unitMs]);

function count({ atLeast = 1, atMost }: { atLeast?: number; atMost: number }) {
  const hint = `write a whole number, ${atLeast} to ${atMost}`;
  return z.int(hint).min(atLeast, hint).max(atMost, hint);
}

const spiffeIdHint = 'write spiffe://shop.example/ns/default/sa/prices';
const spiffeId = z.string().transform((text, context): SpiffeId => {
  const parsed = parseSpiffeId(text);
  if (parsed.ok) return parsed.value;
  context.issues.push({ code: 'custom', input: text, message: `not a SPIFFE ID (${parsed.reason}): ${spiffeIdHint}` });
  return z.NEVER;
});

const allow = z
  .array(z.string())
  .max(1000)
  .transform((texts, context): InboundPortConfig['allow'] => {
    if (texts.length === 1 && texts[0] === '*') return 'any-peer';
    return texts.flatMap((text, index) => {
      const parsed = parseSpiffeId(text);
      if (parsed.ok) return [parsed.value];
      const message = `not a SPIFFE ID (${parsed.reason}): ${spiffeIdHint}, or ["*"] alone for every verified peer`;
      context.issues.push({ code: 'custom', input: text, path: [index], message });
      return [];
    });
  });

/** A place to listen: port 0 lets the system choose. */
const listenAddress = address({ minPort: 0 });
/** A place to dial. */
const peerAddress = address({ minPort: 1 });

function address({ minPort }: { minPort: 0 | 1 }) {
  return z.string().transform((text, context): Address => {
    const [, bracketed, plain, digits] = addressForm.exec(text) ?? [];
    const host = bracketed ?? plain;
    const port = Number(digits);
    if (host !== undefined && port >= minPort && port <= 65_535) return { host, port };
    context.issues.push({ code: 'custom', input: text, message: 'write host:port, e.g. 127.0.0.1:7002 or [::1]:7002' });
    return z.NEVER;
  });
}

const joinToken = z.union(
  [
    z.strictObject({ file: path }).transform(({ file }): JoinTokenSource => ({ kind: 'file', path: file })),
    z.strictObject({ stdin: z.literal(true) }).transform((): JoinTokenSource => ({ kind: 'stdin' })),
  ],
  'write { file: /path } or { stdin: true }',
);

const controlPlaneIdentity = z.strictObject({
  address: peerAddress,
  trustBundle: path,
  joinToken: joinToken.optional(),
  stateDir: path.optional(),
});

const filesIdentity = z.strictObject({ dir: path, trustDomain: trustDomain.optional() });

const protocol = z.enum(['http', 'http2', 'tcp', 'auto'], 'write http, http2, tcp or auto').default('auto');

const inboundPort = z.strictObject({
  port: portNumber,
  app: peerAddress.optional(),
  protocol,
  allow: allow.default([]),
  mtls: listenAddress.optional(),
});

const inbound = z.strictObject({
  listen: listenAddress,
  advertise: peerAddress.optional(),
  ports: z.array(inboundPort).min(1, 'list at least one port').max(100),
});

const upstream = z.strictObject({
  workload: workloadName,
  listen: listenAddress.optional(),
  port: portNumber,
  protocol,
  spiffeId: spiffeId.optional(),
  endpoints: z.array(peerAddress).min(1, 'list at least one endpoint or leave it out').max(1000).optional(),
  transport: z.enum(['tunnel', 'mtls']).default('tunnel'),
  connectTimeout: durationMs.default(defaultConnect.tryMs),
  timeout: durationMs.optional(),
  maxRequests: count({ atMost: 100_000 }).default(10_000),
});

const outbound = z.strictObject({
  upstreams: z.array(upstream).max(1000).default([]),
  httpProxy: z.strictObject({ listen: listenAddress }).optional(),
  unknown: z.enum(['refuse', 'passthrough']).default('refuse'),
});

const admin = z.strictObject({
  listen: listenAddress.optional(),
  reachableFrom: z.enum(['loopback', 'anywhere']).default('loopback'),
  socket: path.optional(),
});

const limits = z.strictObject({
  headBytes: count({ atLeast: 1_024, atMost: 1_048_576 }).default(defaultLimits.headBytes),
  headers: count({ atLeast: 10, atMost: 10_000 }).default(defaultLimits.headers),
  trailerBytes: count({ atLeast: 0, atMost: 1_048_576 }).default(defaultLimits.trailerBytes),
  trailers: count({ atLeast: 0, atMost: 10_000 }).default(defaultLimits.trailers),
  headTimeout: durationMs.default(defaultLimits.headMs),
  idleTimeout: durationMs.default(defaultLimits.idleMs),
  stallTimeout: durationMs.default(defaultLimits.stallMs),
  connections: count({ atMost: 1_000_000 }).default(defaultLimits.connections),
  requests: count({ atMost: 1_000_000 }).default(defaultLimits.requests),
});

/** Every setting there is; `docs/reference.md` is checked against it. */
export const agentDocument = z.strictObject({
  workload: workloadName,
  trustDomain,
  identity: z
    .strictObject({ controlPlane: controlPlaneIdentity.optional(), files: filesIdentity.optional() })
    .refine(({ controlPlane, files }) => (controlPlane === undefined) !== (files === undefined), {
      error: 'write exactly one of controlPlane and files',
      when: ({ value }) => typeof value === 'object' && value !== null, // also when something inside is wrong
    }),
  inbound: inbound.optional(),
  outbound: outbound.optional(),
  admin: admin.default({ reachableFrom: 'loopback' }),
  limits: limits.prefault({}),
  serverFirst: z
    .array(portNumber)
    .max(1000)
    .default([...defaultServerFirst]),
  drain: durationMs.default(25_000),
  whenExpired: z.enum(['keep', 'end']).default('keep'),
  log: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
});

type AgentDocument = z.output<typeof agentDocument>;

/** Reads `agent.yaml`: a frozen configuration, or every problem at once, one per line with its path. */
export function parseAgentConfig(text: string): Result<AgentConfig, string> {
  if (text.length > maxDocumentBytes) return refuse(`the file is larger than ${maxDocumentBytes} bytes`);
  const read = readDocument(text);
  if (!read.ok) return refuse(`line ${read.reason.line}, column ${read.reason.column}: ${read.reason.problem}`);
  const parsed = agentDocument.safeParse(read.value);
  if (!parsed.success) return refuse(describe(parsed.error.issues.map((issue) => [pathOf(issue.path), issue.message])));
  const config = settings(parsed.data);
  const problems = [...crossProblems(config)];
  return problems.length === 0 ? ok(Object.freeze(config)) : refuse(describe(problems));
}

function settings(read: AgentDocument): AgentConfig {
  return {
    workload: read.workload,
    trustDomain: read.trustDomain,
    identity: identitySettings(read),
    inbound: read.inbound && {
      listen: read.inbound.listen,
      advertise: read.inbound.advertise,
      ports: read.inbound.ports.map(({ port, app, protocol, allow, mtls }) => ({
        port,
        app: app ?? { host: '127.0.0.1', port },
        protocol,
        allow,
        mtls,
      })),
    },
    outbound: read.outbound && {
      upstreams: read.outbound.upstreams.map(upstreamSettings),
      httpProxy: read.outbound.httpProxy,
      unknown: read.outbound.unknown,
    },
    admin: { listen: read.admin.listen, reachableFrom: read.admin.reachableFrom, socket: read.admin.socket },
    limits: limitsSettings(read.limits),
    serverFirst: read.serverFirst,
    drainMs: read.drain,
    whenExpired: read.whenExpired,
    logLevel: read.log,
  };
}

function upstreamSettings({ connectTimeout, timeout, ...read }: z.output<typeof upstream>): UpstreamConfig {
  const { workload, port, listen, protocol, spiffeId, endpoints, transport, maxRequests } = read;
  return {
    ...{ workload, port, listen, protocol, spiffeId, endpoints, transport },
    ...{ connectTimeoutMs: connectTimeout, timeoutMs: timeout, maxRequests },
  };
}

function limitsSettings({ headTimeout, idleTimeout, stallTimeout, ...numbers }: z.output<typeof limits>): LimitsConfig {
  return { ...numbers, headMs: headTimeout, idleMs: idleTimeout, stallMs: stallTimeout };
}

function identitySettings({ identity, trustDomain }: AgentDocument): AgentConfig['identity'] {
  const { controlPlane, files } = identity;
  if (files !== undefined) return { kind: 'files', dir: files.dir, trustDomain: files.trustDomain ?? trustDomain };
  const { address, trustBundle, joinToken, stateDir } = controlPlane!; // exactly one is there: the schema says so
  return { kind: 'control-plane', address, trustBundlePath: trustBundle, joinToken, stateDir };
}

function pathOf(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}

function describe(problems: Iterable<ConfigProblem>): string {
  return Array.from(problems, ([at, message]) => (at === '' ? message : `${at}: ${message}`)).join('\n');
}
