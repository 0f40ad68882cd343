import type { H2Session, H2SessionHandler, H2Stream, WorkerPlace } from '#agent/h2/types.ts';
import type { IdentitySnapshot } from '#agent/identity/store.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import type { ReProof } from '#agent/proof/re-proof.ts';
import type { X509Svid } from '#certs/svid.ts';
import type { Clock, Timer } from '#runtime/clock.ts';
import { refuse, type Result } from '#runtime/result.ts';
import { connectStream, type StreamOrder } from './connect-stream.ts';
import { h2Error } from '#agent/h2/errors.ts';
import type { PeerConnection } from './dialer.ts';
import type { OpenProblem } from './peer.ts';
import { ProofLife, type Proofs } from './proof-life.ts';

/** Who is told what becomes of a session. */
export interface SessionOwner {
  /** It serves on, but something newer should be looked for. */
  onAging(session: PeerSession): void;
  /** It takes no new stream any more. Comes once. */
  onRetired(session: PeerSession): void;
  /** Comes once, after `onRetired`. */
  onClosed(session: PeerSession): void;
}

export interface SessionOrder {
  /** Our identity that it was made with. */
  readonly identity: IdentitySnapshot;
  readonly proofs: Proofs;
  readonly whenExpired: 'keep' | 'end';
  /** It ends because its peer could have proved a later certificate and did not. */
  readonly onSilent: () => void;
}

/** Starts re-proof on a session whose peer may know it; undefined: its certificates are the handshake's for good. */
export type StartProof = (session: PeerSession) => ReProof | undefined;

const ofH2 = new WeakMap<H2Session, PeerSession>();

/** The dialling end that `h2` belongs to. */
export function peerSessionOf(h2: H2Session): PeerSession | undefined {
  return ofH2.get(h2);
}

const pingEveryMs = 15_000;

/** How often a retired session is looked at for streams that still run. */
const lookEveryMs = 250;

/** How long the peer has to end its side of a session without streams. */
const goodbyeMs = 5_000;

/**
 * The dialling end of one mTLS connection that speaks HTTP/2: a tunnel to a peer's agent, or ordinary HTTP/2 to a
 * foreign server. Once retired it lives on for its streams in flight, as long as its certificates hold or are proved
 * anew (`extend`).
 */
export class PeerSession implements H2SessionHandler, PeerConnection {
  readonly generation: number;
  keptStreams = 0;
  excess = 0;
  readonly #owner: SessionOwner;
  readonly #clock: Clock;
  readonly #life: ProofLife;
  #h2: H2Session | undefined;
  #phase: 'opening' | 'open' | 'retired' | 'closed' = 'opening';
  #isOutdated = false;
  #ownThumbprint: string;
  /** Of a certificate that is proved by bytes which may still wait for window. */
  #nextThumbprint: string | undefined;
  #proof: ReProof | undefined;
  #pingTimer: Timer | undefined;
  #lookTimer: Timer | undefined;
  #opened: (() => void) | undefined;

  constructor(order: SessionOrder, owner: SessionOwner, clock: Clock) {
    this.generation = order.identity.generation;
    this.#ownThumbprint = order.identity.svid.thumbprint;
    this.#owner = owner;
    this.#clock = clock;
    this.#life = new ProofLife(order.proofs, clock, {
      onAging: () => this.#phase === 'open' && owner.onAging(this),
      onClosing: () => this.retire(),
      onExpired: () => {
        if (order.whenExpired === 'keep') return;
        if (this.#proof?.isRunning) order.onSilent();
        this.destroy();
      },
    });
  }

  /** Resolves when the peer has accepted our certificate too, which its SETTINGS say; false when it went away or `ms` passed. */
  open(connect: (handler: H2SessionHandler) => H2Session, ms: number): Promise<boolean> {
    this.#h2 = connect(this);
    ofH2.set(this.#h2, this);
    return new Promise((resolve) => {
      const settle = (): void => {
        timer.cancel();
        this.#opened = undefined;
        if (this.#phase === 'open') this.#ping();
        else this.destroy();
        resolve(this.#phase === 'open');
      };
      const timer = this.#clock.timer(ms, settle);
      this.#opened = settle;
      if (this.#phase !== 'opening') settle();
    });
  }

  /** From now on its certificates can be proved anew. */
  startProof(start: StartProof): void {
    this.#proof = start(this);
  }

  get h2(): H2Session {
    if (this.#h2 === undefined) throw new Error('a session that was not opened');
    return this.#h2;
  }
  /** Which of its agent's workers the peer is. */
  get peerWorker(): WorkerPlace | undefined {
    return this.h2.peerWorker;
  }
  /** Streams that carry something, of whatever kind. */
  get load(): number {
    return this.#streams - this.keptStreams;
  }
  get isUsable(): boolean {
    return this.state !== 'closed';
  }
  get isRetired(): boolean {
    return this.#phase !== 'open';
  }
  get isClosed(): boolean {
    return this.#phase === 'closed';
  }
  /** `fresh`: use it. `aging`: look for a newer one, use this while there is none. `closed`: no new stream. */
  get state(): 'fresh' | 'aging' | 'closed' {
    if (this.#phase !== 'open') return 'closed';
    const { state } = this.#life;
    return state === 'fresh' && this.#isOutdated ? 'aging' : state;
  }
  /** Of the certificate that whatever is sent from now on arrives under: a proof that waits for window counts once it is gone. */
  get ownThumbprint(): string {
    if (this.#nextThumbprint !== undefined && this.#proof?.isSent !== false) {
      this.#ownThumbprint = this.#nextThumbprint;
      this.#nextThumbprint = undefined;
    }
    return this.#ownThumbprint;
  }
  /** No stream can be opened on it now, though it serves. */
  get isFull(): boolean {
    const { openStreams, peerMaxStreams, takesStreams, isBackedUp } = this.h2;
    return openStreams >= peerMaxStreams || !takesStreams || isBackedUp;
  }

  /** Our identity has been replaced: something newer should be looked for. */
  outdate(): void {
    this.#isOutdated = true;
  }

  /** We have shown a later certificate on this very connection. */
  shown({ thumbprint, notAfterMs }: X509Svid): void {
    this.#nextThumbprint = thumbprint;
    this.extend({ ownNotAfterMs: notAfterMs });
  }

  /** Either end has proved a later certificate on this very connection. */
  extend(proved: Partial<Proofs>): void {
    if (this.#phase !== 'closed') this.#life.extend(proved);
  }

  openStream(order: StreamOrder): Promise<Result<Pipe, OpenProblem | 'full'>> {
    if (this.state === 'closed') return Promise.resolve(refuse('unreachable'));
    return connectStream(this.h2, order, this.#clock);
  }

  /** No new stream from now on; closes when the last one has ended. */
  retire(): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'retired';
    this.#owner.onRetired(this);
    this.#closeWhenDone();
  }

  /** Ends every stream in it. */
  destroy(): void {
    if (this.#phase !== 'closed') this.#h2?.destroy(h2Error.none);
  }

  onStream(stream: H2Stream): void {
    stream.reset(h2Error.refusedStream); // push was not allowed, and nothing else begins at the other end
  }
  onReady(): void {
    if (this.#phase !== 'opening') return;
    this.#phase = 'open';
    this.#opened?.();
  }
  onGoaway(): void {
    this.retire();
  }
  onClosed(): void {
    const before = this.#phase;
    this.#phase = 'closed';
    this.#life.stop();
    this.#pingTimer?.cancel();
    this.#lookTimer?.cancel();
    this.#proof?.end();
    if (before === 'open') this.#owner.onRetired(this);
    if (before === 'opening') this.#opened?.();
    else this.#owner.onClosed(this);
  }

  get #streams(): number {
    return this.h2.openStreams - (this.#proof?.isRunning ? 1 : 0);
  }

  #ping(): void {
    this.h2.ping(pingEveryMs);
    this.#pingTimer = this.#clock.timer(pingEveryMs, () => this.#ping());
  }

  #closeWhenDone(): void {
    if (this.#streams > 0) {
      this.#lookTimer = this.#clock.timer(lookEveryMs, () => this.#closeWhenDone());
      return;
    }
    this.#lookTimer = this.#clock.timer(goodbyeMs, () => this.destroy());
    this.#proof?.end();
    this.h2.drain();
  }
}
