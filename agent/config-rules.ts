import type { Address, AgentConfig } from './config-types.ts';

/** Where in the document, and what to write there. */
export type ConfigProblem = readonly [path: string, message: string];

/** Why only opaque connections begin with the PROXY protocol, and what to write. */
export const proxyProtocolNeedsTcp =
  'needs protocol: tcp; connections to HTTP apps are shared between callers: ' +
  'those apps read x-forwarded-client-cert, so leave proxyProtocol out';

/** What one setting demands of another. Every problem, none repaired. */
export function* crossProblems(config: AgentConfig): Generator<ConfigProblem> {
  yield* identityProblems(config);
  yield* inboundProblems(config);
  yield* tokenProblems(config);
  yield* upstreamProblems(config);
  yield* attachProblems(config);
  yield* gatewayProblems(config);
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
  for (const [index, { mode, listen }] of inbound.ports.entries()) {
    if (mode === 'STRICT' || listen !== undefined) continue;
    yield [
      `inbound.ports[${index}].mode`,
      'permissive needs a listener of the port’s own: write listen: HOST:PORT beside it',
    ];
  }
  for (const [index, { protocol, proxyProtocol }] of inbound.ports.entries()) {
    if (proxyProtocol === undefined || protocol === 'tcp') continue;
    yield [`inbound.ports[${index}].proxyProtocol`, proxyProtocolNeedsTcp];
  }
}

function* tokenProblems({ inbound, identity, tokenIssuers }: AgentConfig): Generator<ConfigProblem> {
  for (const [index, { protocol, token }] of (inbound?.ports ?? []).entries()) {
    if (token === undefined) continue;
    const at = `inbound.ports[${index}].token`;
    if (protocol === 'tcp')
      yield [at, 'needs HTTP: opaque connections bring no token; leave it out, or write protocol: http'];
    if (identity.kind === 'files' && tokenIssuers === undefined) {
      yield [at, 'needs tokenIssuers with identity.files: no control plane pushes keys'];
    }
  }
  for (const [index, { name, issuer, keys }] of (tokenIssuers ?? []).entries()) {
    const at = `tokenIssuers[${index}]`;
    const isTwice = (field: 'name' | 'issuer', value: string): boolean =>
      tokenIssuers?.findIndex((each) => each[field] === value) !== index;
    if (isTwice('name', name)) yield [`${at}.name`, `${name} is there twice`];
    if (isTwice('issuer', issuer)) yield [`${at}.issuer`, `${issuer} is there twice`];
    if (identity.kind === 'files' && keys.kind === 'pushed') {
      yield [`${at}.jwks`, 'cannot be pushed with identity.files: write { file: /path } or { url: https://… }'];
    }
  }
}

function* upstreamProblems({ identity, outbound, gateway }: AgentConfig): Generator<ConfigProblem> {
  const routed = new Set((gateway?.routes ?? []).map(({ workload, port }) => `${workload}:${port}`));
  const names = new Set<string>();
  for (const [index, upstream] of (outbound?.upstreams ?? []).entries()) {
    const at = `outbound.upstreams[${index}]`;
    const name = `${upstream.workload}:${upstream.port}`;
    if (upstream.listen === undefined && outbound?.httpProxy === undefined && !routed.has(name)) {
      yield [`${at}.listen`, 'needed where there is no outbound.httpProxy'];
    }
    if (upstream.endpoints !== undefined && upstream.spiffeId === undefined) {
      yield [`${at}.spiffeId`, 'needed with endpoints: who must answer there?'];
    }
    if (identity.kind === 'files' && upstream.endpoints === undefined) {
      yield [`${at}.endpoints`, 'needed with identity.files: no control plane tells them'];
    }
    if (names.has(name)) yield [at, `${name} is there twice`];
    names.add(name);
  }
}

function* attachProblems({ identity, outbound }: AgentConfig): Generator<ConfigProblem> {
  const endpoints = (outbound?.tokenEndpoints ?? []).map(({ name }) => name);
  for (const [index, name] of endpoints.entries()) {
    if (endpoints.indexOf(name) !== index) yield [`outbound.tokenEndpoints[${index}].name`, `${name} is there twice`];
  }
  for (const [index, { token, protocol }] of (outbound?.upstreams ?? []).entries()) {
    if (token === undefined) continue;
    const at = `outbound.upstreams[${index}].token`;
    if (protocol === 'tcp') yield [`${at}.mode`, 'attach needs HTTP: with protocol: tcp there is nothing to attach to'];
    if (token.issuer === undefined && identity.kind === 'files') {
      yield [
        `${at}.issuer`,
        'needed with identity.files: no control plane issues tokens; name one of outbound.tokenEndpoints',
      ];
    }
    if (token.issuer !== undefined && !endpoints.includes(token.issuer)) {
      yield [`${at}.issuer`, `${token.issuer} is not among outbound.tokenEndpoints`];
    }
  }
}

function* gatewayProblems({ gateway, outbound }: AgentConfig): Generator<ConfigProblem> {
  if (gateway === undefined) return;
  if (gateway.https === undefined && gateway.http === undefined) yield ['gateway', 'write https, http or both'];
  const protocols = new Map(
    (outbound?.upstreams ?? []).map(({ workload, port, protocol }) => [`${workload}:${port}`, protocol]),
  );
  const places = new Set<string>();
  for (const [index, { host, path, workload, port }] of gateway.routes.entries()) {
    const at = `gateway.routes[${index}]`;
    const protocol = protocols.get(`${workload}:${port}`);
    if (protocol === undefined) yield [at, `${workload}:${port} is not among outbound.upstreams`];
    if (protocol === 'tcp') yield [at, `${workload}:${port} does not speak HTTP`];
    if (places.has(host + path)) yield [at, `${host}${path} is there twice`];
    places.add(host + path);
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
  const plain = config.gateway?.http;
  if (plain !== undefined && !isLoopback(plain.listen.host)) {
    yield ['gateway.http.listen', 'not a loopback address: without TLS only this machine may call'];
  }
  const { listen, reachableFrom } = config.admin;
  if (listen !== undefined && reachableFrom === 'loopback' && !isLoopback(listen.host)) {
    yield ['admin.listen', 'not a loopback address; write admin.reachableFrom: anywhere if that is meant'];
  }
}

function* listeners(config: AgentConfig): Generator<readonly [string, Address]> {
  const { inbound, admin, gateway } = config;
  if (inbound !== undefined) yield ['inbound.listen', inbound.listen];
  for (const [index, { listen }] of (inbound?.ports ?? []).entries()) {
    if (listen !== undefined) yield [`inbound.ports[${index}].listen`, listen];
  }
  yield* appListeners(config);
  if (gateway?.https !== undefined) yield ['gateway.https.listen', gateway.https.listen];
  if (gateway?.http !== undefined) yield ['gateway.http.listen', gateway.http.listen];
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
