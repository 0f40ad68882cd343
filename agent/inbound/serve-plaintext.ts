import type { Socket } from 'node:net';
import type { InboundPortConfig } from '#agent/config-types.ts';
import { prependPipe } from '#agent/http/prepended-pipe.ts';
import type { HttpConnection } from '#agent/http/service.ts';
import { TcpPipe } from '#agent/pipe/tcp-pipe.ts';
import { mtlsModeOf } from '#policy/decide.ts';
import type { Timer } from '#runtime/clock.ts';
import { createInboundCaller, type InboundCaller } from './inbound-caller.ts';
import type { InboundParts } from './inbound-parts.ts';
import type { PlaintextPeer } from './inbound-peer.ts';
import type { LinkFacts } from './link-facts.ts';

/** One connection of a caller that proved nothing. */
export interface PlaintextLink {
  readonly socket: Socket;
  /** What it said so far. */
  readonly early: Buffer;
  readonly peer: PlaintextPeer;
  readonly facts: LinkFacts;
}

/** How long what runs may take to end politely once its port is strict: everything is over within a second. */
const goodbyeMs = 500;

/** Plaintext for one port, for as long as that is permissive. */
export function servePlaintext(link: PlaintextLink, parts: InboundParts, port: InboundPortConfig): HttpConnection {
  return new PlaintextConnection(link, parts, port);
}

class PlaintextConnection implements HttpConnection {
  readonly #parts: InboundParts;
  readonly #port: number;
  readonly #caller: InboundCaller;
  readonly #served: HttpConnection;
  #goodbye: Timer | undefined;

  constructor({ socket, early, peer, facts }: PlaintextLink, parts: InboundParts, port: InboundPortConfig) {
    this.#parts = parts;
    this.#port = port.port;
    this.#caller = createInboundCaller(parts, { peer, link: facts });
    this.#served = this.#caller.serve(prependPipe(new TcpPipe(socket), early), port);
    socket.once('close', () => {
      this.#goodbye?.cancel();
      this.#caller.close();
    });
  }

  reconsider(): void {
    this.#served.reconsider?.();
    const { policy, clock } = this.#parts;
    if (this.#goodbye !== undefined || mtlsModeOf(policy(), this.#port) === 'PERMISSIVE') return;
    this.#goodbye = clock.timer(goodbyeMs, () => this.destroy());
    this.drain();
  }
  drain(): void {
    this.#served.drain();
  }
  destroy(): void {
    this.#served.destroy();
  }
}
