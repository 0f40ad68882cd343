import { join } from 'node:path';
import { systemClock } from '#runtime/system-clock.ts';
import type { Bench } from './parts/part.ts';
import { freePort, startProcess, type Running } from './running.ts';
import { launcher } from './subjects/eastwest.ts';
import type { Workload } from './subjects/subject.ts';

/** Three agents: `cart`'s reaches `prices`' directly and through the gateway's, at a port each. */
export interface HairpinAgents extends AsyncDisposable {
  readonly egress: Running;
  readonly gateway: Running;
  readonly ingress: Running;
  readonly ports: { readonly agents: number; readonly gateway: number };
}

/** What the load generator writes into `host`. */
const host = 'prices.bench.example';
const port = 7002;

export async function startHairpin(appPort: number, bench: Bench): Promise<HairpinAgents> {
  const { spiffeIdOf } = bench.identities;
  await using started = new AsyncDisposableStack();
  const [agents, gateway, inner] = [await freePort(), await freePort(), await freePort()];
  const [gatewayPort, ingressPort] = [await freePort(), await freePort()];
  const to = (workload: Workload, endpoint: number, listen?: number): object => ({
    ...{ workload, port, protocol: 'http', spiffeId: spiffeIdOf(workload), endpoints: [`127.0.0.1:${endpoint}`] },
    ...(listen !== undefined && { listen: `127.0.0.1:${listen}` }),
  });
  const inbound = (listen: number, app: number, allow: readonly Workload[]): object => ({
    listen: `127.0.0.1:${listen}`,
    ports: [{ port, app: `127.0.0.1:${app}`, protocol: 'http', allow: allow.map(spiffeIdOf) }],
  });
  const of: Record<'egress' | 'gateway' | 'ingress', object> = {
    ingress: agent('prices', bench, { inbound: inbound(ingressPort, appPort, ['cart', 'gateway']) }),
    gateway: agent('gateway', bench, {
      inbound: inbound(gatewayPort, inner, ['cart']),
      outbound: { upstreams: [to('prices', ingressPort)] },
      gateway: {
        http: { listen: `127.0.0.1:${inner}` },
        routes: [{ host, workload: 'prices', port }],
        rateLimit: { burst: 1_000_000, perSecond: 1_000_000 },
      },
    }),
    egress: agent('cart', bench, {
      outbound: { upstreams: [to('prices', ingressPort, agents), to('gateway', gatewayPort, gateway)] },
    }),
  };
  const start = async (name: keyof typeof of): Promise<Running> => started.use(await startAgent(name, of[name], bench));
  const running = { ingress: await start('ingress'), gateway: await start('gateway'), egress: await start('egress') };
  const all = started.move();
  return { ...running, ports: { agents, gateway }, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

function agent(workload: Workload, { identities }: Bench, rest: object): object {
  const { trustDomain, certificatesOf } = identities;
  return { workload, trustDomain, identity: { files: { dir: certificatesOf(workload) } }, drain: '1s', ...rest };
}

function startAgent(name: string, config: object, bench: Bench): Promise<Running> {
  const dir = join(bench.workDir, `hairpin-${name}-${Math.round(systemClock.monotonic())}`);
  return startProcess(
    'node',
    {
      dir,
      files: { 'agent.yaml': JSON.stringify(config, undefined, 2) },
      words: [launcher, 'agent', '--config', join(dir, 'agent.yaml')],
      ready: { kind: 'logged', text: '"event":"agent.ready"' },
    },
    bench,
  );
}
