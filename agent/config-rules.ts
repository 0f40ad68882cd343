import type { Address, AgentConfig } from './config-types.ts';

/** Where in the document, and what to write there. */
export type ConfigProblem = readonly [path: string, message: string];

/** What one setting demands of another. Every problem, none repaired. */
export function* crossProblems(config: AgentConfig): Generator<ConfigProblem> {
  yield* identityProblems(config);
  yield* inboundProblems(config);
  yield* upstreamProblems(config);
  yield* listenerProblems(config);
}

function* identityProblems({ identity }: AgentConfig): Generator<ConfigProblem> {
  if (identity.kind === 'control-plane' && identity.joinToken === undefined && identity.stateDir === undefined) {
    yield ['identity.controlPlane', 'needs joinToken, or stateDir with the SVID of an earlier run'];
  }
}

function* inboundProblems({ inbound, identity }: AgentConfig): Generator<ConfigProblem> {
  if (inbound === undefined) return;
  if (identity.kind === 'control-plane' && inbound.advertise === undefined && isWildcard(inbound.listen.host)) {
    yield ['inbound.advertise', `needed with inbound.listen ${inbound.listen.host}: peers cannot dial that address`];
  }
  const ports = inbound.ports.map(({ port }) => port);
  for (const [index, port] of ports.entries()) {
    if (ports.indexOf(port) !== index) yield [`inbound.ports[${index}].port`, `${port} is there twice`];
  }
}

function* upstreamProblems({ identity, outbound }: AgentConfig): Generator<ConfigProblem> {
  const names = new Set<string>();
  for (const [index, upstream] of (outbound?.upstreams ?? []).entries()) {
    const at = `outbound.upstreams[${index}]`;
    if (upstream.listen === undefined && outbound?.httpProxy === undefined) {
      yield [`${at}.listen`, 'needed where there is no outbound.httpProxy'];
    }
    if (upstream.endpoints !== undefined && upstream.spiffeId === undefined) {
      yield [`${at}.spiffeId`, 'needed with endpoints: who must answer there?'];
    }
    if (identity.kind === 'files' && upstream.endpoints === undefined) {
      yield [`${at}.endpoints`, 'needed with identity.files: no control plane tells them'];
    }
    const name = `${upstream.workload}:${upstream.port}`;
    if (names.has(name)) yield [at, `${name} is there twice`];
    names.add(name);
  }
}

function* listenerProblems(config: AgentConfig): Generator<ConfigProblem> {
  const taken = new Map<string, string>();
  for (const [at, address] of listeners(config)) {
    const key = `${address.host}:${address.port}`;
    const other = taken.get(key);
    if (other !== undefined && address.port !== 0) yield [at, `${key} is already the address of ${other}`];
    taken.set(key, at);
  }
  for (const [at, { host }] of appListeners(config)) {
    if (!isLoopback(host)) yield [at, 'not a loopback address: whoever reaches it speaks as this workload'];
  }
  const { listen, reachableFrom } = config.admin;
  if (listen !== undefined && reachableFrom === 'loopback' && !isLoopback(listen.host)) {
    yield ['admin.listen', 'not a loopback address; write admin.reachableFrom: anywhere if that is meant'];
  }
}

function* listeners(config: AgentConfig): Generator<readonly [string, Address]> {
  const { inbound, admin } = config;
  if (inbound !== undefined) yield ['inbound.listen', inbound.listen];
  for (const [index, { mtls }] of (inbound?.ports ?? []).entries()) {
    if (mtls !== undefined) yield [`inbound.ports[${index}].mtls`, mtls];
  }
  yield* appListeners(config);
  if (admin.listen !== undefined) yield ['admin.listen', admin.listen];
}

/** In plaintext, for the app beside us alone. */
function* appListeners({ outbound }: AgentConfig): Generator<readonly [string, Address]> {
  for (const [index, { listen }] of (outbound?.upstreams ?? []).entries()) {
    if (listen !== undefined) yield [`outbound.upstreams[${index}].listen`, listen];
  }
  if (outbound?.httpProxy !== undefined) yield ['outbound.httpProxy.listen', outbound.httpProxy.listen];
}

/** Whether only this machine can reach a listener on `host`. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
