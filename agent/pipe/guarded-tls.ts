import type { Socket } from 'node:net';
import { connect, TLSSocket, type ConnectionOptions, type TLSSocketOptions } from 'node:tls';
import { GuardedWire } from './guarded-wire.ts';
import { TlsPipe } from './tls-pipe.ts';

/**
 * TLS over a TCP connection whose end without close_notify is told as a cut (RFC 8446, section 6.1): for messages that
 * end with their connection. It costs more than plain `TlsPipe`.
 */
export interface GuardedTls {
  /** Emits `secureConnect` (client) or `secure` (server) after the handshake, `close` without when it fails. */
  readonly socket: TLSSocket;
  /** After the handshake; once. */
  toPipe(): TlsPipe;
}

export function guardedClient(raw: Socket, options: Omit<ConnectionOptions, 'socket'>): GuardedTls {
  const wire = new GuardedWire(raw);
  return guard(wire, connect({ ...options, socket: wire }));
}

/**
 * A bare server socket asks for a certificate when told to, but neither judges what it gets nor has a deadline: who
 * calls this does both.
 */
export function guardedServer(raw: Socket, options: Omit<TLSSocketOptions, 'isServer' | 'server'>): GuardedTls {
  const wire = new GuardedWire(raw);
  return guard(wire, new TLSSocket(wire, { ...options, isServer: true }));
}

function guard(wire: GuardedWire, socket: TLSSocket): GuardedTls {
  wire.carries(socket);
  return { socket, toPipe: () => new TlsPipe(socket, wire) };
}
