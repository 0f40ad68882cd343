import { workloadSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import { Fault } from '#runtime/fault.ts';
import type { Mesh, MeshPort, MeshWorkload } from './mesh-types.ts';

/** What runs where. Computed once, before anything starts. */
export interface Plan {
  readonly mesh: Mesh;
  readonly controlPlane: { readonly address: string; readonly dataDir: string; readonly trustBundle: string };
  /** In the order of the mesh file. */
  readonly workloads: readonly WorkloadPlan[];
  /** Callees before their callers: the order in which apps start; they stop the other way round. */
  readonly startOrder: readonly string[];
  /** The longest way a request can take, from the workload that `traffic` (or nobody) calls. */
  readonly path: readonly string[];
}

export interface WorkloadPlan {
  readonly workload: MeshWorkload;
  readonly spiffeId: SpiffeId;
  /** host:port of the agent's mTLS listener, of its admin listener and, when captured so, of its HTTP proxy. */
  readonly inbound: string;
  readonly admin: string;
  readonly httpProxy: string | undefined;
  readonly adminSocket: string;
  /** Undefined: it writes none. */
  readonly accessLog: string | undefined;
  /** `agent.yaml`; JSON is YAML too. */
  readonly agentConfig: string;
  /** What the app's environment has beside the user's own. */
  readonly appEnv: Readonly<Record<string, string>>;
}

export interface Places {
  readonly controlPlaneDir: string;
  readonly logDir: string;
  /** Short: socket paths have at most about 100 bytes. */
  readonly socketDir: string;
  /** Free ports on 127.0.0.1, at least `portsNeeded(mesh)`. */
  readonly freePorts: readonly number[];
}

const loopback = '127.0.0.1';
/** What the names of agents' access logs end with. */
export const accessLogEnd = '.access.log';
/** Long enough for what still runs; `up` waits no longer for an agent to end. */
export const agentDrainMs = 5_000;

/** One for the control plane, two or three for each agent. */
export function portsNeeded(mesh: Mesh): number {
  return 1 + mesh.workloads.length * 3;
}

/** Lays the mesh out on this machine. Pure. */
export function planMesh(mesh: Mesh, places: Places): Plan {
  const ports = places.freePorts.values();
  const nextAddress = (): string => `${loopback}:${ports.next().value ?? notEnoughPorts()}`;
  const controlPlane = {
    address: nextAddress(),
    dataDir: places.controlPlaneDir,
    trustBundle: `${places.controlPlaneDir}/trust-bundle.pem`,
  };
  const workloads = mesh.workloads.map((workload) => {
    const addresses: Addresses = {
      inbound: nextAddress(),
      admin: nextAddress(),
      httpProxy: workload.capture === 'http-proxy' ? nextAddress() : undefined,
      adminSocket: `${places.socketDir}/${workload.name}.sock`,
      accessLog: mesh.accessLog ? `${places.logDir}/${workload.name}${accessLogEnd}` : undefined,
    };
    return {
      workload,
      spiffeId: spiffeIdOf(mesh, workload.name),
      ...addresses,
      agentConfig: JSON.stringify(agentConfig({ mesh, workload, controlPlane }, addresses), undefined, 2),
      appEnv: { ...proxyEnv(addresses.httpProxy), ...workload.env },
    };
  });
  return { mesh, controlPlane, workloads, startOrder: startOrder(mesh), path: longestPath(mesh) };
}

type Addresses = Pick<WorkloadPlan, 'inbound' | 'admin' | 'httpProxy' | 'adminSocket' | 'accessLog'>;
interface Placed {
  readonly mesh: Mesh;
  readonly workload: MeshWorkload;
  readonly controlPlane: Plan['controlPlane'];
}

function agentConfig({ mesh, workload, controlPlane }: Placed, addresses: Addresses): object {
  return {
    workload: workload.name,
    trustDomain: mesh.trustDomain,
    identity: {
      controlPlane: {
        address: controlPlane.address,
        trustBundle: controlPlane.trustBundle,
        joinToken: { stdin: true },
      },
    },
    ...(workload.listens.length > 0 && {
      inbound: {
        listen: addresses.inbound,
        ports: workload.listens.map((port) => ({
          port: port.port,
          app: `${loopback}:${port.port}`,
          protocol: port.protocol,
          ...(port.listen !== undefined && { listen: `${loopback}:${port.listen}`, mode: port.mode }),
          ...(port.proxyProtocol && { proxyProtocol: port.proxyProtocol }),
          allow: callersOf(mesh, workload.name, port).map((caller) => spiffeIdOf(mesh, caller)),
        })),
      },
    }),
    ...((workload.calls.length > 0 || addresses.httpProxy !== undefined) && {
      outbound: {
        upstreams: workload.calls.map((call) => ({
          workload: call.to,
          port: call.port,
          protocol: call.protocol,
          ...(call.listen !== undefined && { listen: `${loopback}:${call.listen}` }),
        })),
        ...(addresses.httpProxy !== undefined && { httpProxy: { listen: addresses.httpProxy } }),
      },
    }),
    admin: { listen: addresses.admin, socket: addresses.adminSocket },
    ...(addresses.accessLog !== undefined && { accessLog: { to: { file: addresses.accessLog } } }),
    workers: workload.workers,
    drain: `${agentDrainMs}ms`,
  };
}

/** Who may call this port: exactly those that say so in `calls`. */
function callersOf(mesh: Mesh, to: string, { port }: MeshPort): readonly string[] {
  if (mesh.admit === 'policies') return [];
  return mesh.workloads
    .filter(({ calls }) => calls.some((call) => call.to === to && call.port === port))
    .map(({ name }) => name);
}

function spiffeIdOf(mesh: Mesh, name: string): SpiffeId {
  const id = workloadSpiffeId(mesh.trustDomain, 'default', name);
  if (!id.ok) throw new Fault('BAD_SPIFFE_ID', `${name} in ${mesh.trustDomain} makes no SPIFFE ID (${id.reason})`);
  return id.value;
}

/** `NODE_USE_ENV_PROXY`: without it Node's own `fetch` and `http` do not look at HTTP_PROXY. */
function proxyEnv(httpProxy: string | undefined): Record<string, string> {
  if (httpProxy === undefined) return {};
  const url = `http://${httpProxy}`;
  const direct = 'localhost,127.0.0.1,::1';
  return { HTTP_PROXY: url, http_proxy: url, NO_PROXY: direct, no_proxy: direct, NODE_USE_ENV_PROXY: '1' };
}

function startOrder(mesh: Mesh): string[] {
  const order = new Set<string>();
  const visit = (name: string, callers: readonly string[]): void => {
    if (order.has(name) || callers.includes(name)) return; // a circle starts anywhere
    const { calls } = mesh.workloads.find((workload) => workload.name === name)!;
    for (const { to } of calls) visit(to, [...callers, name]);
    order.add(name);
  };
  for (const { name } of mesh.workloads) visit(name, []);
  return [...order];
}

/** What speaks TCP hands no request on. A call that closes a circle is left out. */
function longestPath(mesh: Mesh): readonly string[] {
  const longest = new Map<string, readonly string[]>();
  for (const name of startOrder(mesh)) {
    const { calls } = mesh.workloads.find((workload) => workload.name === name)!;
    const onward = calls.filter(({ protocol }) => protocol !== 'tcp').map(({ to }) => longest.get(to) ?? []);
    longest.set(name, [name, ...longestOf(onward)]);
  }
  return longestOf(entries(mesh).map((name) => longest.get(name) ?? []));
}

/** Whom `traffic` calls; without traffic, whom nobody calls. */
function entries(mesh: Mesh): string[] {
  const trafficPorts = new Set(mesh.traffic.map(({ url }) => Number(new URL(url).port || 80)));
  const called = new Set(mesh.workloads.flatMap(({ calls }) => calls.map(({ to }) => to)));
  const reached = mesh.workloads.filter(({ listens }) => listens.some(({ port }) => trafficPorts.has(port)));
  const first = reached.length > 0 ? reached : mesh.workloads.filter(({ name }) => !called.has(name));
  return first.map(({ name }) => name);
}

function longestOf(paths: readonly (readonly string[])[]): readonly string[] {
  return paths.reduce((best, path) => (path.length > best.length ? path : best), []);
}

function notEnoughPorts(): never {
  throw new Fault('NO_FREE_PORT', 'not enough free ports');
}
