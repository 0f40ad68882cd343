import type { IdentityStore } from '#agent/identity/store.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { PeerStream } from './carrier.ts';
import type { OpenLink } from './connect.ts';
import type { OpenProblem } from './peer.ts';
import { PlainConnection } from './plain-connection.ts';
import type { Keeper, Target, Way, WayOrder } from './way.ts';

export interface PlainWayParts {
  readonly identity: IdentityStore;
  readonly clock: Clock;
  readonly whenExpired: 'keep' | 'end';
  readonly openLink: OpenLink;
  readonly alpn: readonly string[];
  readonly keeper: Keeper;
}

/** A foreign mTLS server (no tunnel): each stream is a TLS connection of its own. */
export class PlainWay implements Way {
  /** Most servers keep an idle connection for 5 s or more. */
  readonly idleMs = 4_000;
  readonly #target: Target;
  readonly #parts: PlainWayParts;
  readonly #live = new Set<PlainConnection>();
  readonly #tally = { keptStreams: 0 };
  #isDestroyed = false;

  constructor(target: Target, parts: PlainWayParts) {
    this.#target = target;
    this.#parts = parts;
  }

  get load(): number {
    return this.#live.size - this.#tally.keptStreams;
  }
  get connections(): number {
    return this.#live.size;
  }

  async openStream({ deadlineMs, owner }: WayOrder): Promise<Result<PeerStream, OpenProblem>> {
    const { identity, clock, whenExpired, openLink, alpn, keeper } = this.#parts;
    const snapshot = identity.current();
    if (snapshot === undefined) return refuse('no-identity');
    const linked = await openLink({ ...this.#target, identity: snapshot, alpn, deadlineMs });
    if (!linked.ok) return linked;
    const { pipe, socket, peer } = linked.value;
    const proofs = { ownNotAfterMs: snapshot.svid.notAfterMs, peerNotAfterMs: peer.svid.notAfterMs };
    const onRetired = (retired: PlainConnection): void => keeper.letGo(retired);
    const connection = new PlainConnection(pipe, { proofs, whenExpired, tally: this.#tally, onRetired }, clock);
    this.#live.add(connection);
    socket.once('close', () => {
      this.#live.delete(connection);
      connection.over();
      owner.onStreamOver();
    });
    if (this.#isDestroyed) pipe.cut();
    return ok({ pipe, carrier: connection });
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
