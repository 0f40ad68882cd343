import type { IdentityStore } from '#agent/identity/store.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { Dialer, DialOrder, OnRetired, PeerConnection, PeerStream, Target } from './dialer.ts';
import type { OpenLink } from './open-link.ts';
import type { OpenProblem } from './peer.ts';
import { ProofLife, type Proofs } from './proof-life.ts';

export interface PlainDialerParts {
  readonly identity: IdentityStore;
  readonly clock: Clock;
  readonly whenExpired: 'keep' | 'end';
  readonly openLink: OpenLink;
  readonly alpn: readonly string[];
  readonly onRetired: OnRetired;
}

/** A foreign mTLS server (no tunnel): each stream is a TLS connection of its own. */
export class PlainDialer implements Dialer {
  /** Most servers keep an idle connection for 5 s or more. */
  readonly idleMs = 4_000;
  readonly #target: Target;
  readonly #parts: PlainDialerParts;
  readonly #live = new Set<PlainConnection>();
  readonly #tally = { keptStreams: 0 };
  #isDestroyed = false;

  constructor(target: Target, parts: PlainDialerParts) {
    this.#target = target;
    this.#parts = parts;
  }

  get load(): number {
    return this.#live.size - this.#tally.keptStreams;
  }
  get connections(): number {
    return this.#live.size;
  }

  async openStream({ deadlineMs, owner }: DialOrder): Promise<Result<PeerStream, OpenProblem>> {
    const { identity, clock, whenExpired, openLink, alpn, onRetired } = this.#parts;
    const snapshot = identity.current();
    if (snapshot === undefined) return refuse('no-identity');
    const linked = await openLink({ ...this.#target, identity: snapshot, alpn, deadlineMs });
    if (!linked.ok) return linked;
    const { pipe, socket, peer } = linked.value;
    const proofs = { ownNotAfterMs: snapshot.svid.notAfterMs, peerNotAfterMs: peer.svid.notAfterMs };
    const { thumbprint } = snapshot.svid;
    const connection = new PlainConnection(
      pipe,
      { proofs, thumbprint, whenExpired, tally: this.#tally, onRetired },
      clock,
    );
    this.#live.add(connection);
    socket.once('close', () => {
      this.#live.delete(connection);
      connection.over();
      owner.onPipeOver();
    });
    if (this.#isDestroyed) pipe.cut();
    return ok({ pipe, connection });
  }

  /** Their next requests are for connections under the new certificate. */
  outdate(): void {
    this.retire();
  }
  forgetUse(): void {
    // nothing is renewed here
  }
  retire(): void {
    for (const connection of [...this.#live]) connection.retire();
  }
  destroy(): void {
    this.#isDestroyed = true;
    for (const { pipe } of [...this.#live]) pipe.cut();
  }
}

/** Of all connections to one server. */
interface PlainTally {
  keptStreams: number;
}

interface PlainOrder {
  readonly proofs: Proofs;
  readonly thumbprint: string;
  readonly whenExpired: 'keep' | 'end';
  readonly tally: PlainTally;
  readonly onRetired: OnRetired;
}

/** One TLS connection to a foreign server: a stream of its own. Not used again from shortly before its certificates expire. */
class PlainConnection implements PeerConnection {
  readonly pipe: Pipe;
  readonly ownThumbprint: string;
  #keptStreams = 0;
  readonly #order: PlainOrder;
  readonly #life: ProofLife;
  isRetired = false;
  excess = 0;

  constructor(pipe: Pipe, order: PlainOrder, clock: Clock) {
    this.pipe = pipe;
    this.ownThumbprint = order.thumbprint;
    this.#order = order;
    this.#life = new ProofLife(order.proofs, clock, {
      onAging: () => this.retire(),
      onClosing: () => undefined,
      onExpired: () => order.whenExpired === 'end' && pipe.cut(),
    });
  }

  get keptStreams(): number {
    return this.#keptStreams;
  }
  set keptStreams(count: number) {
    this.#order.tally.keptStreams += count - this.#keptStreams;
    this.#keptStreams = count;
  }
  get isUsable(): boolean {
    return !this.isRetired && this.#life.state === 'fresh';
  }

  retire(): void {
    if (this.isRetired) return;
    this.isRetired = true;
    this.#order.onRetired(this);
  }

  /** It is closed. */
  over(): void {
    this.#life.stop();
    this.retire();
  }
}
