import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';

export interface Listening extends AsyncDisposable {
  /** On 127.0.0.1, chosen by the system. */
  readonly port: number;
}

/** Opens a server; at its end `endConnections` lets go of those that are still open. */
export async function listening(server: Server, endConnections: () => void): Promise<Listening> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      endConnections();
      await once(server, 'close');
    },
  };
}
