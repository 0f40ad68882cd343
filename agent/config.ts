import { z } from 'zod';
import { readDocument } from '#runtime/documents.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { accessLog, accessLogSettings } from './config-access-log.ts';
import { tokenEndpoints, tokenEndpointSettings, upstreamToken, upstreamTokenSettings } from './config-attach.ts';
import { gateway, gatewaySettings } from './config-gateway.ts';
import { portToken, portTokenSettings, tokenIssuer, tokenIssuerSettings } from './config-tokens.ts';
import { crossProblems, type ConfigProblem } from './config-rules.ts';
import { unknownSettings } from './config-unknown.ts';
import type { AgentConfig, JoinTokenSource, LimitsConfig, UpstreamConfig } from './config-types.ts';
import {
  allow,
  count,
  durationMs,
  listenAddress,
  path,
  peerAddress,
  portNumber,
  spiffeId,
  spiffeIdTlv,
  trustDomain,
  workloadName,
} from './config-values.ts';
import { defaultConnect, defaultLimits, defaultServerFirst, defaultSpiffeIdTlv } from './defaults.ts';

const maxDocumentBytes = 1024 * 1024;

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

const inboundPort = z
  .strictObject({
    port: portNumber,
    app: peerAddress.optional(),
    protocol,
    allow: allow.default([]),
    listen: listenAddress.optional(),
    mode: z.enum(['strict', 'permissive'], 'write strict or permissive').default('strict'),
    proxyProtocol: z.literal('v2', 'write v2').optional(),
    spiffeIdTlv: spiffeIdTlv.optional(),
    token: portToken.optional(),
  })
  .refine((port) => port.spiffeIdTlv === undefined || port.proxyProtocol !== undefined, {
    error: 'needs proxyProtocol: v2 beside it',
    path: ['spiffeIdTlv'],
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
  token: upstreamToken.optional(),
});

const outbound = z.strictObject({
  upstreams: z.array(upstream).max(1000).default([]),
  httpProxy: z.strictObject({ listen: listenAddress }).optional(),
  unknown: z.enum(['refuse', 'passthrough']).default('refuse'),
  tokenEndpoints: tokenEndpoints.default([]),
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
  gateway: gateway.optional(),
  tokenIssuers: z.array(tokenIssuer).min(1, 'name an issuer, or leave it out').max(16).optional(),
  admin: admin.default({ reachableFrom: 'loopback' }),
  limits: limits.prefault({}),
  serverFirst: z
    .array(portNumber)
    .max(1000)
    .default([...defaultServerFirst]),
  workers: count({ atMost: 64 }).default(1),
  drain: durationMs.default(25_000),
  whenExpired: z.enum(['keep', 'end']).default('keep'),
  log: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  accessLog: accessLog.optional(),
});

type AgentDocument = z.output<typeof agentDocument>;

/** Reads `agent.yaml`: a frozen configuration, or every problem at once, one per line with its path. */
export function parseAgentConfig(text: string): Result<AgentConfig, string> {
  if (text.length > maxDocumentBytes) return refuse(`the file is larger than ${maxDocumentBytes} bytes`);
  const read = readDocument(text);
  if (!read.ok) return refuse(`line ${read.reason.line}, column ${read.reason.column}: ${read.reason.problem}`);
  const parsed = agentDocument.safeParse(read.value);
  if (!parsed.success) return refuse(describe(parsed.error.issues.map(problemOf)));
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
      ports: read.inbound.ports.map(({ port, app, protocol, allow, listen, mode, proxyProtocol, ...more }) => ({
        port,
        app: app ?? { host: '127.0.0.1', port },
        protocol,
        allow,
        listen,
        mode: mode === 'permissive' ? 'PERMISSIVE' : 'STRICT',
        proxyProtocol: proxyProtocol && { spiffeIdTlv: more.spiffeIdTlv ?? defaultSpiffeIdTlv },
        token: portTokenSettings(more.token),
      })),
    },
    outbound: read.outbound && {
      upstreams: read.outbound.upstreams.map(upstreamSettings),
      httpProxy: read.outbound.httpProxy,
      unknown: read.outbound.unknown,
      tokenEndpoints: tokenEndpointSettings(read.outbound.tokenEndpoints),
    },
    gateway: read.gateway && gatewaySettings(read.gateway),
    tokenIssuers: read.tokenIssuers?.map((issuer) => tokenIssuerSettings(issuer, read.trustDomain)),
    admin: { listen: read.admin.listen, reachableFrom: read.admin.reachableFrom, socket: read.admin.socket },
    limits: limitsSettings(read.limits),
    serverFirst: read.serverFirst,
    workers: read.workers,
    drainMs: read.drain,
    whenExpired: read.whenExpired,
    logLevel: read.log,
    accessLog: read.accessLog && accessLogSettings(read.accessLog),
  };
}

function upstreamSettings({ connectTimeout, timeout, ...read }: z.output<typeof upstream>): UpstreamConfig {
  const { workload, port, listen, protocol, spiffeId, endpoints, transport, maxRequests } = read;
  return {
    ...{ workload, port, listen, protocol, spiffeId, endpoints, transport },
    ...{ connectTimeoutMs: connectTimeout, timeoutMs: timeout, maxRequests },
    token: upstreamTokenSettings(read.token),
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

function problemOf(issue: z.core.$ZodIssue): ConfigProblem {
  const isUnknown = issue.code === 'unrecognized_keys';
  return [pathOf(issue.path), isUnknown ? unknownSettings(agentDocument, issue.path, issue.keys) : issue.message];
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
