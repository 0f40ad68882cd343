import { join } from 'node:path';
import { freePorts, startMesh, type MeshProcess } from './mesh-process.ts';

export interface EchoMesh extends MeshProcess {
  /** Where the app `cart` reaches `echo`: its HTTP and WebSocket port, and its raw TCP port. */
  readonly ports: {
    readonly http: number;
    readonly tcp: number;
    /** Of `echo` itself, as policies name them. */
    readonly echo: { readonly http: number; readonly tcp: number };
  };
}

const app = join(import.meta.dirname, 'apps', 'echo.mjs');

/** Two workloads, `cart` → `echo`; the tests speak as cart's app. */
export async function startEchoMesh(svidLife: string): Promise<EchoMesh> {
  const [cartPort, httpPort, tcpPort, http, tcp] = (await freePorts(5)) as [number, number, number, number, number];
  const mesh = await startMesh(`
name: echo
trustDomain: echo.example
svidLife: ${svidLife}
workloads:
  - name: cart
    run: [node, ${app}]
    env: { PORT: "${cartPort}" }
    listens: [{ port: ${cartPort} }]
    calls:
      - { to: echo, port: ${httpPort}, listen: ${http} }
      - { to: echo, port: ${tcpPort}, listen: ${tcp} }
  - name: echo
    run: [node, ${app}]
    env: { PORT: "${httpPort}", TCP_PORT: "${tcpPort}" }
    listens: [{ port: ${httpPort} }, { port: ${tcpPort}, protocol: tcp }]
`);
  return { ...mesh, ports: { http, tcp, echo: { http: httpPort, tcp: tcpPort } } };
}
