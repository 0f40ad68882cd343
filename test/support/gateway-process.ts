import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Address } from '#agent/config-types.ts';
import { startReadyAgent, type AgentProcess } from './agent-process.ts';
import { startHttpApp, type HttpApp } from './apps.ts';
import { createIdentityFolder, type IdentityFolder } from './identity-folder.ts';
import { createPemFolder, type PemFolder } from './programs.ts';
import { createTestCa, type TestAuthority } from './test-ca.ts';

/** A real agent of `orders` in front of an app, and a real gateway that shows a certificate of its own CA to everybody. */
export interface GatewayProcess extends AsyncDisposable {
  readonly gateway: AgentProcess;
  readonly orders: AgentProcess;
  readonly app: HttpApp;
  readonly https: Address;
  readonly http: Address;
  readonly pem: PemFolder;
  /** Of what outsiders are shown. */
  readonly outsideCa: TestAuthority;
  renew(): void;
  /** Of the gateway's access log. */
  lines(): readonly Readonly<Record<string, unknown>>[];
}

const spiffeId = (workload: string): string => `spiffe://shop.example/ns/default/sa/${workload}`;

/** `changes`: of the gateway's agent.yaml. */
export async function startGatewayProcess(changes: object = {}): Promise<GatewayProcess> {
  await using stack = new AsyncDisposableStack();
  const ca = createTestCa({ nowMs: Date.now() });
  const outsideCa = createTestCa({ nowMs: Date.now() });
  const identity = (workload: string): object => {
    const folder = stack.use(createIdentityFolder());
    folder.write(ca.leaf(workload), [ca]);
    return { workload, trustDomain: 'shop.example', identity: { files: { dir: folder.path } }, drain: '5s' };
  };
  const shown: IdentityFolder = stack.use(createIdentityFolder('kubernetes'));
  const renew = (): void => {
    const names = [{ kind: 'dns', text: 'shop.example' } as const];
    shown.write(outsideCa.leaf('gateway', { names }), [outsideCa]);
  };
  renew();
  const pem = stack.use(createPemFolder());
  const app = stack.use(await startHttpApp());
  const orders = stack.use(
    await startReadyAgent({
      ...identity('orders'),
      inbound: { listen: '127.0.0.1:0', ports: [{ port: 7002, app: app.at, allow: [spiffeId('gateway')] }] },
    }),
  );
  const inbound = await orders.address('inbound');
  const endpoints = [`127.0.0.1:${inbound.port}`];
  const log = join(pem.path, 'access.log');
  const gateway = stack.use(
    await startReadyAgent({
      ...identity('gateway'),
      outbound: { upstreams: [{ workload: 'orders', port: 7002, spiffeId: spiffeId('orders'), endpoints }] },
      gateway: {
        https: {
          ...{ listen: '127.0.0.1:0', certificate: join(shown.path, 'tls.crt'), key: join(shown.path, 'tls.key') },
        },
        http: { listen: '127.0.0.1:0' },
        routes: [{ host: 'shop.example', workload: 'orders', port: 7002 }],
        rateLimit: { burst: 1_000_000, perSecond: 1_000_000 },
      },
      accessLog: { to: { file: log } },
      ...changes,
    }),
  );
  const [https, http] = [await gateway.address('gateway https'), await gateway.address('gateway http')];
  const all = stack.move();
  return {
    ...{ gateway, orders, app, https, http, pem, outsideCa, renew },
    lines: () =>
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
