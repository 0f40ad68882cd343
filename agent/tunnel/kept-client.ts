import { H1Client, type H1ClientOptions } from '#agent/http/h1-client.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Carrier } from './carrier.ts';

/** A stream to a peer that carries one HTTP/1.1 exchange after another, and where it lies between them. */
export class KeptClient extends H1Client {
  readonly carrier: Carrier;
  /** Index among the kept streams; −1 while it is in use. */
  at = -1;
  /** How often the clock of kept streams had ticked when it was put there. */
  sinceTick = 0;

  constructor(pipe: Pipe, carrier: Carrier, options: H1ClientOptions) {
    super(pipe, options);
    this.carrier = carrier;
  }
}
