import type { H1Client, H1ClientOptions, H1ClientOwner } from '#agent/http/h1-client.ts';
import type { Forwarded, RequestSink, ResponseSink } from '#agent/http/message.ts';
import type { Result } from '#runtime/result.ts';
import type { Carrier, PeerStream, StreamOwner } from './carrier.ts';
import type { Endpoint, EndpointUser } from './endpoint.ts';
import type { Choosable } from './endpoint-choice.ts';
import { KeptClient } from './kept-client.ts';
import type { OpenProblem } from './peer.ts';

/** What the places of one peer's port count together. */
export interface PlaceOwner {
  /** Byte streams that are open, kept ones included. */
  streams: number;
  /** Those that lie idle. */
  kept: number;
  readonly http: Pick<H1ClientOptions, 'limits' | 'deadlines'>;
  /** Sends a request again that met a stream which was just being closed. */
  again(request: Forwarded, response: ResponseSink<never>): RequestSink;
  onStanding(): void;
}

/**
 * One endpoint as a port of a peer uses it: its streams for HTTP/1.1, of which those without a request are kept and
 * shared by all callers. Only this side ends a kept stream, so no request meets one that is just being closed.
 */
export class Place implements Choosable, EndpointUser, H1ClientOwner, StreamOwner {
  readonly endpoint: Endpoint;
  readonly #owner: PlaceOwner;
  readonly #options: H1ClientOptions;
  readonly #kept: KeptClient[] = [];
  #tick = 0;
  #isLeaving = false;

  constructor(endpoint: Endpoint, owner: PlaceOwner) {
    this.endpoint = endpoint;
    this.#owner = owner;
    this.#options = { ...owner.http, owner: this, idleMs: endpoint.way.idleMs };
    endpoint.users.add(this);
  }

  get load(): number {
    return this.endpoint.load;
  }
  get asideUntilMs(): number {
    return this.endpoint.asideUntilMs;
  }

  /** A stream for one request, at once; undefined where none is kept. */
  take(): KeptClient | undefined {
    for (let client = this.#kept.pop(); client !== undefined; client = this.#kept.pop()) {
      this.#left(client);
      if (client.isIdle && client.carrier.isUsable) return client;
      client.retire();
    }
    return undefined;
  }

  async open(port: number, deadlineMs: number): Promise<Result<PeerStream, OpenProblem>> {
    const { endpoint } = this;
    const opened = await endpoint.attempt(deadlineMs, () => endpoint.way.openStream({ port, deadlineMs, owner: this }));
    if (opened.ok) this.#owner.streams += 1;
    return opened;
  }

  /** A stream for HTTP/1.1 of what `open` gave. */
  client({ pipe, carrier }: PeerStream): KeptClient {
    return new KeptClient(pipe, carrier, this.#options);
  }

  /** Keeps a stream on which no request is in flight. */
  keep(client: KeptClient): void {
    const { carrier } = client;
    if (this.#isLeaving || carrier.isRetired || carrier.excess > 0) return this.#letLeave(client);
    client.at = this.#kept.push(client) - 1;
    client.sinceTick = this.#tick;
    carrier.keptStreams += 1;
    this.#owner.kept += 1;
  }

  /** Time passes: ends what was not used for `ticks` calls. */
  sweep(ticks: number): void {
    this.#tick += 1;
    this.#release(({ sinceTick }) => sinceTick + ticks <= this.#tick);
  }

  /** The endpoint is not the peer's any more, or the agent stops: no new stream is kept, what is in flight finishes. */
  leave(): void {
    this.#isLeaving = true;
    this.endpoint.users.delete(this);
    this.#release(() => true);
  }

  letGo(carrier: Carrier): void {
    this.#release((client) => client.carrier === carrier);
  }
  onStanding(): void {
    this.#owner.onStanding();
  }
  onStreamOver(): void {
    this.#owner.streams -= 1;
  }

  onIdle(client: H1Client): void {
    this.keep(client as KeptClient); // none else has this owner
  }
  onGone(client: H1Client): void {
    this.#remove(client as KeptClient);
  }
  repeat(request: Forwarded, response: ResponseSink<never>): RequestSink {
    return this.#owner.again(request, response);
  }

  #letLeave(client: KeptClient): void {
    if (client.carrier.excess > 0) client.carrier.excess -= 1;
    client.retire();
  }
  #release(isDue: (client: KeptClient) => boolean): void {
    for (const client of this.#kept.filter(isDue)) {
      this.#remove(client);
      client.retire();
    }
  }
  #remove(client: KeptClient): void {
    const { at } = client;
    if (at < 0) return;
    const last = this.#kept.pop()!;
    if (last !== client) {
      this.#kept[at] = last;
      last.at = at;
    }
    this.#left(client);
  }
  #left(client: KeptClient): void {
    client.at = -1;
    client.carrier.keptStreams -= 1;
    this.#owner.kept -= 1;
  }
}
