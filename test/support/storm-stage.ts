import fc from 'fast-check';
import type { Call, WorkloadFacts } from '#policy/model.ts';
import { startEchoApp } from './echo-app.ts';
import type { StreamPorts } from './held-stream.ts';
import { freePorts } from './mesh-process.ts';
import { startPolicyFleet, type FleetMember, type PolicyFleet } from './policy-fleet.ts';
import { calls as anyCalls, payments, spiffeIdOf } from './random-policies.ts';
import { neverPath } from './storm-changes.ts';
import type { ReachableCall } from './storm-load.ts';

/** Two workloads that a storm of rules is about, and four that call them. */
export interface StormStage extends AsyncDisposable {
  readonly fleet: PolicyFleet;
  readonly callees: readonly WorkloadFacts[];
  /** Where `steady` reaches each callee. */
  readonly steady: readonly StreamPorts[];
  /** A sample of calls of every caller to every callee; HTTP and opaque ones. */
  calls(each: number): Promise<readonly ReachableCall[]>;
}

const trustDomain = 'a.test';
const callees: readonly WorkloadFacts[] = [payments, { ...payments, name: 'orders', labels: labelsOf('orders') }];
const callers = [
  { workload: 'cart', namespace: 'shop' },
  { workload: 'web', namespace: 'shop' },
  { workload: 'x', namespace: 'out' },
  { workload: 'steady', namespace: 'shop' },
];
/** As `random-policies.ts` knows them; and one for gRPC, which it does not. */
const ports = { http: 80, alsoHttp: 8080, opaque: 5432, grpc: 9000 } as const;

function labelsOf(name: string): WorkloadFacts['labels'] {
  return { app: name, 'app.kubernetes.io/name': name };
}

export async function openStormStage(): Promise<StormStage> {
  await using stack = new AsyncDisposableStack();
  const [http, tcp, grpc] = (await freePorts(3)) as [number, number, number];
  stack.use(await startEchoApp('echo.mjs', { PORT: http, TCP_PORT: tcp }));
  stack.use(await startEchoApp('grpc-echo.mjs', { GRPC_PORT: grpc }));
  const inboundPorts = [
    { port: ports.http, protocol: 'auto', app: `127.0.0.1:${http}` },
    { port: ports.alsoHttp, protocol: 'http', app: `127.0.0.1:${http}` },
    { port: ports.opaque, protocol: 'auto', app: `127.0.0.1:${tcp}` },
    { port: ports.grpc, protocol: 'http2', app: `127.0.0.1:${grpc}` },
  ];
  const inbound = { listen: '127.0.0.1:0', ports: inboundPorts };
  const upstreams = callees.flatMap(({ name: workload }) =>
    inboundPorts.map(({ port, protocol }) => ({
      ...{ workload, port, listen: '127.0.0.1:0', protocol: port === ports.opaque ? 'tcp' : protocol },
    })),
  );
  const members: FleetMember[] = [
    ...callees.map(({ name, namespace }) => ({ workload: name, namespace, inbound })),
    ...callers.map((caller) => ({ ...caller, outbound: { upstreams } })),
  ];
  const fleet = stack.use(await startPolicyFleet(members, { svidLife: '1h', trustDomain }));
  const portTo = async (caller: string, callee: string, port: number): Promise<number> =>
    (await fleet.agents.get(caller)!.address(`upstream ${callee}:${port}`)).port;
  const all = stack.move();
  return {
    fleet,
    callees,
    steady: await Promise.all(
      callees.map(async ({ name }) => ({
        http: await portTo('steady', name, ports.http),
        grpc: await portTo('steady', name, ports.grpc),
        tcp: await portTo('steady', name, ports.opaque),
      })),
    ),
    async calls(each) {
      const pairs = callers.flatMap((caller) => callees.map((callee) => ({ caller, callee })));
      const found = pairs.map(async ({ caller, callee }, seed): Promise<ReachableCall[]> => {
        const principal = spiffeIdOf(`${trustDomain}/ns/${caller.namespace}/sa/${caller.workload}`);
        const sample = fc.sample(anyCalls, { numRuns: each - 2, seed }).filter(({ http: said }) => said !== undefined);
        const never = { method: 'GET', path: neverPath, host: 'payments', header: () => [] };
        const asked: Call[] = [
          ...sample.map(({ port, http: said }) => ({ principal, port: port === 80 ? 80 : 8080, http: said })),
          { principal, port: ports.http, http: never },
          { principal, port: ports.opaque, http: undefined },
        ];
        return Promise.all(
          asked.map(async (call) => ({
            ...{ call, workload: callee, port: await portTo(caller.workload, callee.name, call.port) },
          })),
        );
      });
      return (await Promise.all(found)).flat();
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
