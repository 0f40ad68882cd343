import type { Socket } from 'node:net';
import type { Traffic } from './admin/traffic.ts';

/** Cuts a connection that is one too many, and counts it; whose it is nobody has asked. */
export function turnAway(socket: Socket, traffic: Traffic): void {
  traffic.failed('too-many-connections', 'unknown');
  socket.destroy();
}
