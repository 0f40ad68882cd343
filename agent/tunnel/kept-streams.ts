import { H1Client, type H1ClientOptions, type H1ClientOwner } from '#agent/http/h1-client.ts';
import type { Forwarded, RequestSink, ResponseSink } from '#agent/http/message.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Result } from '#runtime/result.ts';
import type { PeerConnection, PeerStream } from './dialer.ts';
import type { Endpoint, EndpointUser } from './endpoint.ts';
import type { Candidate } from './endpoint-choice.ts';
import type { OpenProblem } from './peer.ts';
import type { PipeOwner } from './stream-pipe.ts';

/** What the endpoints of one peer's port count together. */
export interface KeptStreamsOwner {
  /** Byte streams that are open, kept ones included. */
  streams: number;
  /** Those that lie idle. */
  kept: number;
  readonly http: Pick<H1ClientOptions, 'limits' | 'deadlines'>;
  /** Sends a request, also again one that met a stream which was just being closed. */
  start(request: Forwarded, response: ResponseSink<OpenProblem>): RequestSink;
  /** An endpoint was set aside, or is good again. */
  onStanding(): void;
}

/** A stream to a peer that carries one HTTP/1.1 exchange after another, and where it lies between them. */
export class KeptClient extends H1Client {
  readonly connection: PeerConnection;
  /** Among the kept streams; −1 while it is in use. */
  index = -1;
  /** How often the clock of kept streams had ticked when it was put there. */
  sinceTick = 0;

  constructor(pipe: Pipe, connection: PeerConnection, options: H1ClientOptions) {
    super(pipe, options);
    this.connection = connection;
  }
}

/**
 * One endpoint as a port of a peer uses it: its streams for HTTP/1.1, of which those without a request are kept and
 * shared by all callers. Only this side ends a kept stream, so no request meets one that is just being closed.
 */
export class KeptStreams implements Candidate, EndpointUser, H1ClientOwner, PipeOwner {
  readonly endpoint: Endpoint;
  readonly #owner: KeptStreamsOwner;
  readonly #options: H1ClientOptions;
  readonly #kept: KeptClient[] = [];
  #tick = 0;
  #isLeaving = false;

  constructor(endpoint: Endpoint, owner: KeptStreamsOwner) {
    this.endpoint = endpoint;
    this.#owner = owner;
    this.#options = { ...owner.http, owner: this, idleMs: endpoint.dialer.idleMs };
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
      if (client.isIdle && client.connection.isUsable) return client;
      client.retire();
    }
    return undefined;
  }

  async open(port: number, deadlineMs: number): Promise<Result<PeerStream, OpenProblem>> {
    const { endpoint } = this;
    const opened = await endpoint.attempt(deadlineMs, () =>
      endpoint.dialer.openStream({ port, deadlineMs, owner: this }),
    );
    if (opened.ok) this.#owner.streams += 1;
    return opened;
  }

  /** A stream for HTTP/1.1 of what `open` gave. */
  client({ pipe, connection }: PeerStream): KeptClient {
    return new KeptClient(pipe, connection, this.#options);
  }

  /** Keeps a stream on which no request is in flight. */
  keep(client: KeptClient): void {
    const { connection } = client;
    if (this.#isLeaving || connection.isRetired || connection.excess > 0) return this.#letLeave(client);
    client.index = this.#kept.push(client) - 1;
    client.sinceTick = this.#tick;
    connection.keptStreams += 1;
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

  onRetired(connection: PeerConnection): void {
    this.#release((client) => client.connection === connection);
  }
  onStanding(): void {
    this.#owner.onStanding();
  }
  onPipeOver(): void {
    this.#owner.streams -= 1;
  }

  onIdle(client: H1Client): void {
    this.keep(client as KeptClient); // none else has this owner
  }
  onGone(client: H1Client): void {
    this.#remove(client as KeptClient);
  }
  repeat(request: Forwarded, response: ResponseSink<never>): RequestSink {
    return this.#owner.start(request, response);
  }

  #letLeave(client: KeptClient): void {
    if (client.connection.excess > 0) client.connection.excess -= 1;
    client.retire();
  }
  #release(isDue: (client: KeptClient) => boolean): void {
    for (const client of this.#kept.filter(isDue)) {
      this.#remove(client);
      client.retire();
    }
  }
  #remove(client: KeptClient): void {
    const { index } = client;
    if (index < 0) return;
    const last = this.#kept.pop()!;
    if (last !== client) {
      this.#kept[index] = last;
      last.index = index;
    }
    this.#left(client);
  }
  #left(client: KeptClient): void {
    client.index = -1;
    client.connection.keptStreams -= 1;
    this.#owner.kept -= 1;
  }
}
