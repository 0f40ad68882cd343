import type { EchoWork } from './job.ts';
import { createLinesDriver } from './lines.ts';
import { openRaw } from './raw-socket.ts';
import type { Driver, Tally } from './tally.ts';

/** Messages that come back unchanged, one at a time on each connection. */
export function createEchoDriver(
  { port, connections, messageBytes }: EchoWork & { readonly port: number; readonly connections: number },
  tally: Tally,
): Driver {
  const message = Buffer.alloc(messageBytes, 'm');
  return createLinesDriver(connections, tally, (again) => {
    let [sentMs, missing] = [0, messageBytes];
    const send = (): void => {
      sentMs = performance.now();
      socket.write(message);
    };
    const socket = openRaw(port, (bytes) => {
      tally.bytes += bytes.length;
      missing -= bytes.length;
      if (missing > 0) return;
      if (missing < 0) tally.failed('more came back than was sent');
      missing = messageBytes;
      tally.answered(performance.now() - sentMs);
      if (again()) send();
    });
    return { socket, send };
  });
}
