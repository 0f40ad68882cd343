import type { IssueCertificateRequest, IssueCertificateResponse } from '#proto/issue-messages.ts';
import type { WatchRequest, WatchResponse } from '#proto/messages.ts';
import type { Refusal } from '#proto/refusal.ts';
import type { ExchangeTokenRequest, ExchangeTokenResponse } from '#proto/token-messages.ts';
import { backoffMs } from '#runtime/backoff.ts';
import type { Clock, Random } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';
import type { Result } from '#runtime/result.ts';
import type { AgentEmit } from '#agent/events.ts';
import type { IssueCall } from './issuer-client.ts';
import { createPause } from './pause.ts';
import type { IdentitySnapshot, IdentityStore } from './store.ts';

/** What this room needs of `createMeshClient`: one channel, authenticated by one SVID or by none. */
export interface ControlPlaneClient {
  issueCertificate(
    request: IssueCertificateRequest,
    options: { readonly deadlineMs: number; readonly signal: AbortSignal },
  ): Promise<Result<IssueCertificateResponse, Refusal>>;
  exchangeToken(
    request: ExchangeTokenRequest,
    options: { readonly deadlineMs: number; readonly signal: AbortSignal },
  ): Promise<Result<ExchangeTokenResponse, Refusal>>;
  watch(signal: AbortSignal): WatchStream;
  close(): void;
}

/** By whose certificate a call is made. */
export type CallIdentity = Pick<IdentitySnapshot, 'svid' | 'privateKey'>;

export interface WatchStream {
  send(request: WatchRequest): Promise<void>;
  readonly messages: AsyncIterable<WatchResponse>;
}

export type Subscription = Omit<Extract<WatchRequest, { kind: 'subscribe' }>, 'kind'>;

/** Applies what was pushed; returns `''`, or why it was not applied. */
export type ApplyPush = (push: WatchResponse) => string;

export interface LinkParts {
  readonly store: IdentityStore;
  /** A lazy channel; it dials at its first call. */
  readonly createClient: (identity: CallIdentity | undefined) => ControlPlaneClient;
  /** Called for each stream: what it pushes is applied by the answer. */
  readonly openStream: () => ApplyPush;
  readonly address: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: AgentEmit;
}

interface Session {
  readonly serialHex: string;
  readonly client: ControlPlaneClient;
  readonly stream: WatchStream;
  /** What it began with: the wish may have changed before the session was taken. */
  readonly subscribedWith: Subscription;
  /** A newer session has taken over: what still arrives here is old. */
  isSuperseded: boolean;
  /** Resolves at the first message; rejects when the stream ended before. */
  readonly opened: Promise<void>;
  /** Why the stream ended; never rejects. */
  readonly ended: Promise<unknown>;
  close(): void;
}

interface Reading {
  readonly onMessage: () => void;
  readonly isSuperseded: () => boolean;
  readonly apply: ApplyPush;
}

/** Whoever says more is not heard. */
const maxProblemLength = 500;
const reconnect = { baseMs: 250, maxMs: 10_000 };
/** A new session that is silent for so long is given up. */
const openDeadlineMs = 10_000;

/**
 * The channel to the control plane. Each SVID has a channel of its own: after a rotation the watch moves to a new one, and
 * the old one closes when the new one has spoken, so that no connection outlives its proof.
 */
export class ControlPlaneLink {
  readonly #parts: LinkParts;
  readonly #pause;
  #subscription: Subscription;
  #session: Session | undefined;
  #isLost: boolean | undefined;
  /** Channels for calls by other certificates than the session's, by serial number. */
  readonly #callers = new Map<string, { readonly client: ControlPlaneClient; calls: number }>();

  constructor(parts: LinkParts, subscription: Subscription) {
    this.#parts = parts;
    this.#pause = createPause(parts.clock);
    this.#subscription = subscription;
  }

  state(): 'connected' | 'unreachable' {
    return this.#session === undefined ? 'unreachable' : 'connected';
  }

  /** Replaces what this agent wants to hear and says of itself. */
  subscribe(subscription: Subscription): void {
    this.#subscription = subscription;
    void this.#session?.stream.send({ kind: 'subscribe', ...subscription });
  }

  readonly issue: IssueCall = async (request, options) => {
    const current = request.attestation.kind === 'current-svid' ? this.#parts.store.current() : undefined;
    if (current !== undefined && this.#session?.serialHex === current.svid.serialHex) {
      return this.#session.client.issueCertificate(request, options);
    }
    const client = this.#parts.createClient(current);
    try {
      return await client.issueCertificate(request, options);
    } finally {
      client.close();
    }
  };

  /** By exactly this certificate, to which the token is bound: its own session's channel, or one that lives for its calls. */
  readonly exchangeToken = async (
    identity: CallIdentity,
    request: ExchangeTokenRequest,
    options: { readonly deadlineMs: number; readonly signal: AbortSignal },
  ): Promise<Result<ExchangeTokenResponse, Refusal>> => {
    const { serialHex } = identity.svid;
    const session = this.#session;
    if (session?.serialHex === serialHex) {
      try {
        return await session.client.exchangeToken(request, options);
      } catch (cause) {
        if (this.#session === session || options.signal.aborted) throw cause; // else a newer session closed its channel
      }
    }
    const channel = this.#callers.get(serialHex) ?? { client: this.#parts.createClient(identity), calls: 0 };
    this.#callers.set(serialHex, channel);
    channel.calls += 1;
    try {
      return await channel.client.exchangeToken(request, options);
    } finally {
      channel.calls -= 1;
      if (channel.calls === 0) {
        this.#callers.delete(serialHex);
        channel.client.close();
      }
    }
  };

  /** Watches until the signal aborts, then throws its reason. */
  async run(signal: AbortSignal): Promise<never> {
    const { store, random } = this.#parts;
    const unsubscribe = store.subscribe(() => this.#pause.cut()); // a new SVID may get in where the old one did not
    try {
      for (let failures = 0; ;) {
        const snapshot = await store.first(signal);
        const failure = await this.#serve(snapshot, signal);
        failures = failure.hadOpened ? 0 : failures + 1;
        if (failure.cause === moved) continue;
        const retryInMs = Math.round(backoffMs(failures, reconnect, random()));
        this.#tellLost(failure.cause, retryInMs);
        await this.#pause.wait(retryInMs, signal);
      }
    } finally {
      unsubscribe();
      this.#session?.close();
      this.#session = undefined;
    }
  }

  /** One session from its opening to its end, or to the SVID that replaces its own. */
  async #serve(snapshot: IdentitySnapshot, signal: AbortSignal): Promise<{ cause: unknown; hadOpened: boolean }> {
    const session = this.#open(snapshot, signal);
    const cause = await settle(session.opened, signal);
    if (cause !== undefined) {
      session.close();
      signal.throwIfAborted();
      return { cause, hadOpened: false };
    }
    this.#take(session);
    const next = Promise.withResolvers<typeof moved>();
    const unsubscribe = this.#parts.store.subscribe(({ svid }) => {
      if (svid.serialHex !== session.serialHex) next.resolve(moved);
    });
    if (this.#parts.store.current()?.svid.serialHex !== session.serialHex) next.resolve(moved);
    const end = await Promise.race([session.ended, next.promise]);
    unsubscribe();
    signal.throwIfAborted();
    return { cause: end, hadOpened: true };
  }

  #take(session: Session): void {
    const earlier = this.#session;
    this.#session = session;
    if (session.subscribedWith !== this.#subscription)
      void session.stream.send({ kind: 'subscribe', ...this.#subscription });
    void session.ended.then(() => {
      session.close();
      if (this.#session === session) this.#session = undefined;
    });
    if (earlier !== undefined) {
      earlier.isSuperseded = true;
      earlier.close();
    }
    if (this.#isLost !== false) this.#parts.emit({ event: 'control-plane.connected', address: this.#parts.address });
    this.#isLost = false;
  }

  #tellLost(error: unknown, retryInMs: number): void {
    if (this.#isLost === true || this.#session !== undefined) return; // told already, or the older session still stands
    this.#isLost = true;
    const { store, clock, emit } = this.#parts;
    const validForMs = Math.max(0, (store.current()?.svid.notAfterMs ?? 0) - clock.now());
    emit({ event: 'control-plane.lost', validForMs, retryInMs, error });
  }

  #open(snapshot: IdentitySnapshot, signal: AbortSignal): Session {
    const { createClient, clock } = this.#parts;
    const client = createClient(snapshot);
    const closing = new AbortController();
    const stream = client.watch(AbortSignal.any([signal, closing.signal]));
    const opened = Promise.withResolvers<void>();
    const deadline = clock.timer(openDeadlineMs, () => {
      opened.reject(new Fault('CONTROL_PLANE_UNREACHABLE', `nothing heard for ${openDeadlineMs} ms`));
    });
    const ended = this.#read(stream, {
      onMessage: () => opened.resolve(),
      isSuperseded: () => session.isSuperseded,
      apply: this.#parts.openStream(),
    });
    void ended.then((cause) => opened.reject(cause)).finally(() => deadline.cancel());
    opened.promise.then(deadline.cancel, deadline.cancel);
    const session: Session = {
      serialHex: snapshot.svid.serialHex,
      client,
      stream,
      subscribedWith: this.#subscription,
      isSuperseded: false,
      opened: opened.promise,
      ended,
      close() {
        closing.abort(new Fault('CONTROL_PLANE_CLOSED', 'this channel was closed by us'));
        client.close();
      },
    };
    void stream.send({ kind: 'subscribe', ...this.#subscription });
    return session;
  }

  /** Applies and acknowledges until the stream ends; resolves with why it did. */
  async #read(stream: WatchStream, { onMessage, isSuperseded, apply }: Reading): Promise<unknown> {
    try {
      for await (const push of stream.messages) {
        onMessage();
        if (isSuperseded()) break;
        const problem = apply(push).slice(0, maxProblemLength);
        void stream.send({ kind: 'acknowledge', version: push.version, problem });
      }
      return new Fault('CONTROL_PLANE_CLOSED', 'the control plane ended the watch');
    } catch (cause) {
      return cause;
    }
  }
}

const moved = Symbol('a newer SVID has replaced the session’s own');

/** The reason for which `promise` failed; undefined when it did not. */
async function settle(promise: Promise<void>, signal: AbortSignal): Promise<unknown> {
  try {
    await promise;
    return undefined;
  } catch (cause) {
    signal.throwIfAborted();
    return cause ?? new Fault('CONTROL_PLANE_UNREACHABLE', 'no answer');
  }
}
