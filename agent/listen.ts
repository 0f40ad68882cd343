import type { AddressInfo, Server } from 'node:net';
import type { Address } from '#agent/config-types.ts';
import { Fault } from '#runtime/fault.ts';

/** Starts listening; resolves with the real address (port 0 is a free one). Faults: LISTEN_FAILED. */
export function listen(server: Server, address: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => {
      const inUse = cause.code === 'EADDRINUSE';
      const hint = inUse ? 'another process listens there: stop it, or choose another port' : undefined;
      reject(
        new Fault('LISTEN_FAILED', `cannot listen on ${address.host}:${address.port}`, {
          cause,
          ...(hint && { hint }),
        }),
      );
    };
    server.once('error', failed);
    server.listen({ host: address.host, port: address.port, backlog: 4096 }, () => {
      server.off('error', failed);
      const { address: host, port } = server.address() as AddressInfo;
      resolve({ host, port });
    });
  });
}
