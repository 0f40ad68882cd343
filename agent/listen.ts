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
      inheritNoDelay(server);
      const { address: host, port } = server.address() as AddressInfo;
      resolve({ host, port });
    });
  });
}

/**
 * Accepted sockets take TCP_NODELAY over from the one that listens, which saves a system call for each of them. Where
 * this Node keeps things elsewhere, the server's option `noDelay` does the same as ever.
 */
function inheritNoDelay(server: Server): void {
  const inside = server as unknown as { noDelay?: unknown; _handle?: { setNoDelay?(isOn: boolean): unknown } | null };
  if (inside.noDelay !== true || inside._handle?.setNoDelay?.(true) !== 0) return;
  inside.noDelay = false;
}

function hintFor(code: string | undefined): string | undefined {
  if (code === 'EADDRINUSE') return 'another process listens there: stop it, or choose another port';
  return code === 'ENOTSUP' ? 'here a port cannot be shared between threads: write workers: 1' : undefined;
}
