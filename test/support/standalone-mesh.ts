import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startReadyAgent, type AgentProcess } from './agent-process.ts';
import { startControlPlaneProcess, type ControlPlaneProcess } from './control-plane-process.ts';
import { startEchoApp } from './echo-app.ts';
import { freePorts } from './mesh-process.ts';

/** Control plane, two agents and an echo app, each started by hand: nobody starts any of them again. */
export interface StandaloneMesh extends AsyncDisposable {
  readonly controlPlane: ControlPlaneProcess;
  readonly cart: AgentProcess;
  readonly echo: AgentProcess;
  /** Where cart's app reaches `echo`. */
  readonly ports: { readonly http: number; readonly tcp: number; readonly grpc: number };
}

export async function startStandaloneMesh(
  svidLife: string,
  settings: { readonly whenExpired?: 'keep' | 'end'; readonly workers?: number } = {},
): Promise<StandaloneMesh> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-alone-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const controlPlane = stack.use(await startControlPlaneProcess(svidLife));
  const [httpPort, tcpPort, grpcPort] = (await freePorts(3)) as [number, number, number];
  stack.use(await startEchoApp('echo.mjs', { PORT: httpPort, TCP_PORT: tcpPort }));
  stack.use(await startEchoApp('grpc-echo.mjs', { GRPC_PORT: grpcPort }));
  const agent = async (workload: string, traffic: object): Promise<AgentProcess> => {
    const token = join(folder, `${workload}.token`);
    writeFileSync(token, await controlPlane.joinToken(workload), { mode: 0o600 });
    const { address, trustBundle, trustDomain } = controlPlane;
    const identity = { controlPlane: { address, trustBundle, joinToken: { file: token } } };
    const admin = { listen: '127.0.0.1:0' };
    return stack.use(await startReadyAgent({ workload, trustDomain, identity, admin, ...settings, ...traffic }));
  };
  const allow = [`spiffe://${controlPlane.trustDomain}/ns/default/sa/cart`];
  const echo = await agent('echo', {
    inbound: {
      listen: '127.0.0.1:0',
      ports: [
        { port: httpPort, allow },
        { port: tcpPort, protocol: 'tcp', allow },
        { port: grpcPort, protocol: 'http2', allow },
      ],
    },
  });
  const cart = await agent('cart', {
    outbound: {
      upstreams: [
        { workload: 'echo', port: httpPort, listen: '127.0.0.1:0' },
        { workload: 'echo', port: tcpPort, listen: '127.0.0.1:0', protocol: 'tcp' },
        { workload: 'echo', port: grpcPort, listen: '127.0.0.1:0', protocol: 'http2' },
      ],
    },
  });
  const http = (await cart.address(`upstream echo:${httpPort}`)).port;
  const tcp = (await cart.address(`upstream echo:${tcpPort}`)).port;
  const grpc = (await cart.address(`upstream echo:${grpcPort}`)).port;
  await isAnswered(http);
  const all = stack.move();
  return { controlPlane, cart, echo, ports: { http, tcp, grpc }, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** Where `echo` is comes to cart by push, a moment after both are ready. */
async function isAnswered(port: number): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  for (;;) {
    const reply = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    await reply?.arrayBuffer();
    if (reply?.ok === true) return;
    if (performance.now() > deadlineMs) throw new Error(`no answer through the mesh: ${reply?.status}`);
    await sleep(50);
  }
}
