import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Sends each head on a connection of its own, cut in two by `cutAt`, and waits for the end of all. */
export async function sendRawHeads(
  port: number,
  heads: readonly string[],
  cutAt: (head: string) => number,
): Promise<void> {
  const waiting = [...heads];
  const next = async (): Promise<void> => {
    for (let head = waiting.pop(); head !== undefined; head = waiting.pop()) {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true }).on('error', () => undefined);
      socket.resume();
      const closed = new Promise((resolve) => socket.once('close', resolve));
      const at = cutAt(head);
      socket.write(Buffer.from(head.slice(0, at), 'latin1'));
      await sleep(2);
      if (socket.writable) socket.end(Buffer.from(head.slice(at), 'latin1'));
      await closed;
    }
  };
  await Promise.all(Array.from({ length: 32 }, next));
}
