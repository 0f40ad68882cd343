import { createServer, type Server } from 'node:net';
import { Fault } from '#runtime/fault.ts';
import type { Mesh } from './mesh-types.ts';

const host = '127.0.0.1';

/** `count` different ports on loopback that are free now. */
export async function findFreePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => listen(0)));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map(close));
  return ports;
}

/** Throws `Fault` PORT_IN_USE with every port of the mesh file that somebody else already has. */
export async function checkPortsAreFree(mesh: Mesh): Promise<void> {
  const claims = mesh.workloads.flatMap(({ name, listens, calls }) => [
    ...listens.map(({ port }) => ({ port, owner: `${name} listens there` })),
    ...listens.flatMap(({ listen: port }) =>
      port === undefined ? [] : [{ port, owner: `${name}'s agent listens there` }],
    ),
    ...calls.flatMap(({ listen: port, to }) =>
      port === undefined ? [] : [{ port, owner: `${name} calls ${to} there` }],
    ),
  ]);
  const taken: string[] = [];
  for (const { port, owner } of claims) {
    const problem = await listen(port).then(close, (error: NodeJS.ErrnoException) => error.code);
    if (problem === 'EADDRINUSE') taken.push(`port ${port} is in use (${owner})`);
    else if (problem !== undefined) taken.push(`port ${port} cannot be used: ${problem} (${owner})`);
  }
  if (taken.length === 0) return;
  throw new Fault('PORT_IN_USE', taken.join('\n'), {
    hint: "stop what listens there, or write another port in the mesh file and in the app's own settings",
  });
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => resolve(server));
  });
}

function close(server: Server): Promise<undefined> {
  return new Promise((resolve) => server.close(() => resolve(undefined)));
}
