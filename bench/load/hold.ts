import { once } from 'node:events';
import type { Socket } from 'node:net';
import { AnswerReader } from './http-answer.ts';
import { httpRequest } from './http-driver.ts';
import { openRaw } from './raw-socket.ts';
import { within } from './within.ts';

const atOnce = 64;
const openWithinMs = 20_000;

/** Opens connections, each of which has been answered one GET, and keeps them; the result ends them. */
export async function holdConnections(port: number, connections: number): Promise<() => void> {
  const held: Socket[] = [];
  const request = httpRequest('/');
  const openOne = async (): Promise<void> => {
    const answers = new AnswerReader();
    const answered = Promise.withResolvers<void>();
    const socket = openRaw(port, (bytes) => void answers.take(bytes, answered.resolve));
    socket.on('close', () => answered.reject(new Error('a connection was closed')));
    held.push(socket);
    await once(socket, 'connect');
    socket.write(request);
    await answered.promise;
  };
  let missing = connections;
  const line = async (): Promise<void> => {
    while (missing > 0) {
      missing -= 1;
      await openOne();
    }
  };
  const release = (): void => {
    for (const socket of held) socket.on('error', () => undefined).destroy();
  };
  try {
    await within(openWithinMs, Promise.all(Array.from({ length: Math.min(atOnce, connections) }, line)));
    return release;
  } catch (error) {
    missing = 0;
    release();
    throw error;
  }
}
