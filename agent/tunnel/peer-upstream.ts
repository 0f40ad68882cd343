import type { H1ClientOptions } from '#agent/http/h1-client.ts';
import { attachedRequest } from '#agent/http/attached-request.ts';
import type { Forwarded, RequestSink, ResponseSink, Upstream } from '#agent/http/message.ts';
import { WaitingRequest } from '#agent/http/waiting-request.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Random } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { PeerStream } from './dialer.ts';
import type { Endpoint } from './endpoint.ts';
import { EndpointChoice } from './endpoint-choice.ts';
import { KeptStreams, type KeptClient, type KeptStreamsOwner } from './kept-streams.ts';
import type { OpenProblem, UpstreamLimits } from './peer.ts';
import { tryEndpoints, type TryParts } from './try-endpoints.ts';

/** How often a request waits for what is to be attached. */
const maxWaits = 3;

/** A stream that one request has for itself, and where it is kept afterwards. */
interface TakenClient {
  readonly client: KeptClient;
  readonly streams: KeptStreams;
}

export interface UpstreamParts extends TryParts {
  readonly random: Random;
  readonly limits: UpstreamLimits;
  readonly http: Pick<H1ClientOptions, 'limits' | 'deadlines'>;
}

/**
 * One port of a peer, for all callers in this agent: each HTTP/1.1 request takes a kept stream of the endpoint with
 * less to do of two, or waits for a new one; opaque streams choose in the same way.
 */
export class PeerUpstream implements Upstream<OpenProblem>, KeptStreamsOwner {
  readonly http: UpstreamParts['http'];
  streams = 0;
  kept = 0;
  readonly #port: number;
  readonly #parts: UpstreamParts;
  readonly #choice: EndpointChoice<KeptStreams>;
  #pending = 0;

  constructor(port: number, parts: UpstreamParts) {
    this.http = parts.http;
    this.#port = port;
    this.#parts = parts;
    this.#choice = new EndpointChoice(parts);
  }

  /** Requests and opaque streams of this port that run or wait. */
  get inFlight(): number {
    return this.streams - this.kept + this.#pending;
  }

  /** From now on these are the peer's: new ones are used at once, those that left finish what they have. */
  replaceEndpoints(endpoints: readonly Endpoint[]): void {
    const before = new Map(this.#choice.all.map((streams) => [streams.endpoint, streams]));
    const after = endpoints.map((endpoint) => before.get(endpoint) ?? new KeptStreams(endpoint, this));
    for (const left of this.#choice.replace(after)) left.leave();
  }

  /** HTTP/1.1. The first byte goes out now where a stream is kept. */
  start(request: Forwarded, response: ResponseSink<OpenProblem>): RequestSink {
    const isRoom = this.streams - this.kept + this.#pending < this.#parts.limits.maxInFlight;
    const chosen = isRoom ? this.#choice.choose() : undefined;
    const client = chosen?.take();
    if (client === undefined) return this.#startLater(request, response);
    const attached = attachedRequest(request, client.connection.ownThumbprint);
    if (attached !== undefined) return client.send(attached, response);
    const waiting = new WaitingRequest(request, response);
    void this.#sendOn({ client, streams: chosen! }, waiting);
    return waiting;
  }

  /** A caller has left: its streams serve the others. */
  close(): void {
    // kept streams are shared
  }

  /** An opaque stream. */
  async open(): Promise<Result<Pipe, OpenProblem>> {
    const opened = await this.#openSomewhere();
    return opened.ok ? ok(opened.value.value.pipe) : opened;
  }

  onStanding(): void {
    this.#choice.refresh();
  }

  /** Time passes: streams that were not used for `ticks` calls end. */
  sweep(ticks: number): void {
    for (const streams of this.#choice.all) streams.sweep(ticks);
  }

  #startLater(request: Forwarded, response: ResponseSink<OpenProblem>): RequestSink {
    const waiting = new WaitingRequest(request, response);
    void this.#openSomewhere().then((opened) => {
      if (!opened.ok) return waiting.fail({ unreachable: opened.reason });
      const { chosen: streams, value: stream } = opened.value;
      void this.#sendOn({ client: streams.client(stream), streams }, waiting);
    });
    return waiting;
  }

  /** Sends what waited, as soon as what is to be attached there is to be had. */
  async #sendOn({ client, streams }: TakenClient, waiting: WaitingRequest<OpenProblem>): Promise<void> {
    const { request, response } = waiting;
    for (let waits = 0; !waiting.isOver; waits += 1) {
      if (waits > 0 && !(client.isIdle && client.connection.isUsable)) {
        client.retire();
        return waiting.begun(this.start(request, response)); // nothing of it was sent
      }
      const { ownThumbprint } = client.connection;
      const attached = attachedRequest(request, ownThumbprint);
      if (attached !== undefined) return waiting.begun(client.send(attached, response));
      const problem = waits === maxWaits ? 'no-token' : await this.#obtainField(request, ownThumbprint);
      if (problem === undefined) continue;
      waiting.fail({ unreachable: problem });
    }
    if (client.isIdle) streams.keep(client);
  }

  async #obtainField(request: Forwarded, thumbprint: string): Promise<OpenProblem | undefined> {
    const { maxPending, tryMs } = this.#parts.limits;
    const attachment = (request.bare ?? request).attachment!;
    if (this.#pending >= maxPending) return 'too-many-requests-in-flight';
    this.#pending += 1;
    const field = await attachment.obtain(thumbprint, tryMs);
    this.#pending -= 1;
    return field.ok ? undefined : field.reason;
  }

  async #openSomewhere(): Promise<Result<{ readonly chosen: KeptStreams; readonly value: PeerStream }, OpenProblem>> {
    const { maxInFlight, maxPending } = this.#parts.limits;
    if (this.inFlight >= maxInFlight || this.#pending >= maxPending) return refuse('too-many-requests-in-flight');
    this.#pending += 1;
    try {
      return await tryEndpoints(this.#choice, (chosen, deadlineMs) => chosen.open(this.#port, deadlineMs), this.#parts);
    } finally {
      this.#pending -= 1;
    }
  }
}
