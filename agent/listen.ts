import type { AddressInfo, Server } from 'node:net';
import type { Address } from '#agent/config-types.ts';
import { Fault } from '#runtime/fault.ts';

/** Starts listening; resolves with the real address (port 0 is a free one). Faults: LISTEN_FAILED. */
export type Listen = (server: Server, address: Address) => Promise<Address>;

/** Alone: nobody else may listen there. */
export const listen: Listen = (server, address) => listenBy(server, address, {});

/** Beside others of this user who do the same: the system spreads new connections over them (SO_REUSEPORT). */
export const listenShared: Listen = (server, address) => listenBy(server, address, { reusePort: true });

function listenBy(server: Server, address: Address, options: { readonly reusePort?: true }): Promise<Address> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => {
      const hint = hintFor(cause.code);
      reject(
        new Fault('LISTEN_FAILED', `cannot listen on ${address.host}:${address.port}`, {
          cause,
          ...(hint && { hint }),
        }),
      );
    };
    server.once('error', failed);
    server.listen({ host: address.host, port: address.port, backlog: 4096, ...options }, () => {
      server.off('error', failed);
      const { address: host, port } = server.address() as AddressInfo;
      resolve({ host, port });
    });
  });
}

function hintFor(code: string | undefined): string | undefined {
  if (code === 'EADDRINUSE') return 'another process listens there: stop it, or choose another port';
  return code === 'ENOTSUP' ? 'here a port cannot be shared between threads: write workers: 1' : undefined;
}
