import type { Socket } from 'node:net';
import { Ceiling, Share } from '#agent/ceiling.ts';
import { clientAddress, clientKey } from '#agent/client-key.ts';
import type { InboundPortConfig } from '#agent/config-types.ts';
import type { HttpConnection } from '#agent/http/service.ts';
import { turnAway } from '#agent/turn-away.ts';
import { mtlsModeOf } from '#policy/decide.ts';
import type { InboundParts } from './inbound-parts.ts';
import { linkFacts } from './link-facts.ts';
import type { PlaintextTaker } from './mtls-server.ts';
import { servePlaintext } from './serve-plaintext.ts';

/** Strangers never get all connections that peers need: so many of them, on all ports together. */
export class PlaintextSeats {
  readonly #whole: Ceiling;
  readonly #shares = new Map<string, Share>();

  constructor(maxConnections: number) {
    this.#whole = new Ceiling(Math.ceil(maxConnections / 2));
  }

  /** A seat for a caller from there, given back by the function; undefined: it has its share already. */
  take(address: string): (() => void) | undefined {
    const key = clientKey(address);
    const share = this.#shares.get(key) ?? new Share(this.#whole);
    if (share.isFull) return undefined;
    this.#shares.set(key, share);
    share.enter();
    return () => {
      share.leave();
      if (share.count === 0) this.#shares.delete(key);
    };
  }
}

export interface PlaintextDoorParts {
  readonly inbound: InboundParts;
  readonly port: InboundPortConfig;
  readonly seats: PlaintextSeats;
  /** Whether there are as many connections as there may be, of anybody. */
  readonly isFull: () => boolean;
  readonly onConnection: (socket: Socket, connection: HttpConnection) => void;
}

/** What plaintext callers of a port's own listener get: the app while the port is permissive, else nothing. */
export class PlaintextDoor implements PlaintextTaker {
  readonly #parts: PlaintextDoorParts;

  constructor(parts: PlaintextDoorParts) {
    this.#parts = parts;
  }

  /** Only of protocols in which the server may speak first. */
  get takesSilent(): boolean {
    const { protocol, port } = this.#parts.port;
    const { serverFirst } = this.#parts.inbound;
    return this.#isPermissive && (protocol === 'tcp' || (protocol === 'auto' && serverFirst.has(port)));
  }

  take(socket: Socket, early: Buffer): void {
    const { inbound, port, seats, isFull, onConnection } = this.#parts;
    const { counters, ledger } = inbound;
    const address = clientAddress(socket.remoteAddress);
    if (!this.#isPermissive) return this.#refuse(socket, address);
    const facts = linkFacts(socket, undefined);
    if (facts === undefined) return void socket.destroy(); // it is gone already
    const leave = isFull() ? undefined : seats.take(address);
    if (leave === undefined) return turnAway(socket, counters.inbound);
    const track = ledger.connected(port.port, address);
    socket.once('close', () => {
      leave();
      track.closed();
    });
    onConnection(
      socket,
      servePlaintext({ socket, early, facts, peer: { spiffeId: undefined, address, track } }, inbound, port),
    );
  }

  get #isPermissive(): boolean {
    const { inbound, port } = this.#parts;
    return mtlsModeOf(inbound.policy(), port.port) === 'PERMISSIVE';
  }

  #refuse(socket: Socket, address: string): void {
    const { inbound, port } = this.#parts;
    const { counters, emit } = inbound;
    const reason = 'port-is-strict';
    counters.plaintextRefused += 1;
    counters.inbound.failed(reason, 'plaintext');
    if (address !== '') this.#note(address);
    const hint = 'call with a certificate of the mesh, or make the port PERMISSIVE by a PeerAuthentication for a while';
    emit({ event: 'inbound.plaintext-refused', client: address || 'unknown', port: port.port, reason, hint });
    socket.on('error', () => undefined).destroy();
  }

  /** Not of one that reset its connection meanwhile: its address is not known any more. */
  #note(address: string): void {
    const { inbound, port } = this.#parts;
    const track = inbound.ledger.connected(port.port, address);
    track.refused('plaintext');
    track.closed();
  }
}
