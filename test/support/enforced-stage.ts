import { startEchoApp } from './echo-app.ts';
import { untilAdmitted, type StreamPorts } from './held-stream.ts';
import { documents as joined } from './mesh-policies.ts';
import { freePorts } from './mesh-process.ts';
import { adminCall, startPolicyFleet, type FleetMember, type PolicyFleet } from './policy-fleet.ts';

/** One workload whose agent enforces; where its callers' apps reach it. */
export interface Callee {
  readonly name: string;
  readonly cart: StreamPorts;
  readonly web: StreamPorts;
}

export interface EnforcedStage extends AsyncDisposable {
  readonly fleet: PolicyFleet;
  /** Of the mesh, now. */
  readonly revision: number;
  readonly callees: readonly Callee[];
  /** The one document that is applied again and again. */
  shutText(caller: string): string;
}

const trustDomain = 'echo.example';
const ports = { http: 7001, tcp: 7002, grpc: 7003 } as const;
const protocols = { http: 'auto', tcp: 'tcp', grpc: 'http2' } as const;
const names = ['http', 'tcp', 'grpc'] as const;

/**
 * `w0`, `w1`, …, each with an agent of its own, called by `cart` and `web`; one echo app of each kind stands behind all of
 * them. Both callers are allowed, by documents of the mesh.
 */
export async function openEnforcedStage(agents: number, documents: number): Promise<EnforcedStage> {
  await using stack = new AsyncDisposableStack();
  const [http, tcp, grpc] = (await freePorts(3)) as [number, number, number];
  const apps = { http, tcp, grpc };
  stack.use(await startEchoApp('echo.mjs', { PORT: http, TCP_PORT: tcp }));
  stack.use(await startEchoApp('grpc-echo.mjs', { GRPC_PORT: grpc }));
  const workloads = Array.from({ length: agents }, (_none, index) => `w${index}`);
  const callees = workloads.map((workload): FleetMember => ({
    workload,
    inbound: {
      listen: '127.0.0.1:0',
      ports: names.map((name) => ({
        ...{ port: ports[name], protocol: protocols[name], app: `127.0.0.1:${apps[name]}` },
      })),
    },
  }));
  const upstreams = workloads.flatMap((workload) =>
    names.map((name) => ({ workload, port: ports[name], listen: '127.0.0.1:0', protocol: protocols[name] })),
  );
  const callers = ['cart', 'web'].map((workload): FleetMember => ({ workload, outbound: { upstreams } }));
  const fleet = stack.use(await startPolicyFleet([...callees, ...callers], { svidLife: '1h', trustDomain }));
  await applyAll(fleet, [callersText, ...others(documents)]);
  const { revision } = await fleet.untilCurrent(30_000);
  const all = stack.move();
  const stage: EnforcedStage = {
    fleet,
    revision,
    callees: await Promise.all(
      workloads.map(async (name) => {
        const [cart, web] = await Promise.all(['cart', 'web'].map((caller) => portsTo(fleet, caller, name)));
        return { name, cart: cart!, web: web! };
      }),
    ),
    shutText,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
  for (const { cart, web } of stage.callees) await untilAdmitted([cart, web]);
  return stage;
}

async function portsTo(fleet: PolicyFleet, caller: string, workload: string): Promise<StreamPorts> {
  const found = names.map(async (name) => {
    const { port } = await fleet.agents.get(caller)!.address(`upstream ${workload}:${ports[name]}`);
    return [name, port] as const;
  });
  return Object.fromEntries(await Promise.all(found)) as unknown as StreamPorts;
}

async function applyAll(fleet: PolicyFleet, texts: readonly string[]): Promise<void> {
  const applied = await fleet.policies.apply([{ name: 'stage.yaml', text: joined(...texts) }], adminCall);
  const problems = applied.ok ? applied.value.problems : [applied.reason];
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
}

const principal = (name: string): string => `${trustDomain}/ns/default/sa/${name}`;

const document = (name: string, spec: string): string =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: ${name}, namespace: default }\nspec: ${spec}\n`;

const callersText = document(
  'callers',
  `{ rules: [{ from: [{ source: { principals: [${principal('cart')}, ${principal('web')}] } }] }] }`,
);

const shutText = (caller: string): string =>
  document('shut', `{ action: DENY, rules: [{ from: [{ source: { principals: [${principal(caller)}] } }] }] }`);

/** Of one caller of these ports each, whom nobody else names. */
const others = (count: number): readonly string[] =>
  Array.from({ length: count }, (_none, index) => {
    const operation = `{ ports: ['${ports.http}'], methods: [GET], paths: [/other/${index}/*] }`;
    const from = `[{ source: { principals: [${principal(`other-${index}`)}] } }]`;
    return document(`other-${index}`, `{ rules: [{ from: ${from}, to: [{ operation: ${operation} }] }] }`);
  });
