import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves when somebody listens on a port of 127.0.0.1. */
export async function untilOpen(port: number, deadlineMs = 20_000): Promise<void> {
  const untilMs = performance.now() + deadlineMs;
  while (!(await isOpen(port))) {
    if (performance.now() > untilMs) throw new Error(`nobody listens on ${port}`);
    await sleep(50);
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.destroy();
      resolve(true);
    }).on('error', () => resolve(false));
  });
}
