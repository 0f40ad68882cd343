import { createServer } from 'node:net';
import { listen, listenShared, type Listen } from '#agent/listen.ts';
import type { Address } from '#agent/config-types.ts';

/**
 * How the first worker listens; `opened` gets each address. The system would let two agents of one user share a port
 * too, and the second would take away half of the first one's callers: a port must be free before it is shared.
 */
export function listenFirst(opened: Address[]): Listen {
  return async (server, address) => {
    if (address.port !== 0) await claim(address);
    const real = await listenShared(server, address);
    opened.push(real);
    return real;
  };
}

/** How further workers listen: at the addresses of the first one, which opened its listeners in the same order. */
export function listenBeside(addresses: readonly Address[]): Listen {
  const left = [...addresses];
  return (server) => {
    const address = left.shift();
    if (address === undefined) throw new Error('a worker has more listeners than the first one');
    return listenShared(server, address);
  };
}

/** Takes the address for a moment, alone. Faults: LISTEN_FAILED. */
async function claim(address: Address): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  await listen(server, address);
  await new Promise((resolve) => server.close(resolve));
}
