import type { Clock, Random } from '#runtime/clock.ts';
import { Endpoint } from './endpoint.ts';
import type { Keeper, Target, Way } from './way.ts';

/** All endpoints of one kind: one for each address and name, shared by the ports that are reached there. */
export class Endpoints<W extends Way> {
  readonly #open: (target: Target, keeper: Keeper) => W;
  readonly #parts: { readonly clock: Clock; readonly random: Random };
  readonly #known = new Map<string, Endpoint<W>>();
  /** Nobody's any more; what they carry finishes. */
  readonly #leaving = new Set<W>();

  constructor(open: (target: Target, keeper: Keeper) => W, parts: { readonly clock: Clock; readonly random: Random }) {
    this.#open = open;
    this.#parts = parts;
  }

  get connections(): number {
    return [...this.#ways()].reduce((sum, { connections }) => sum + connections, 0);
  }

  /** Those that are set aside at this moment. */
  asideAt(nowMs: number): number {
    let count = 0;
    for (const { asideUntilMs } of this.#known.values()) if (asideUntilMs > nowMs) count += 1;
    return count;
  }

  at(target: Target): Endpoint<W> {
    const { address, expected } = target;
    const key = `${address.host} ${address.port} ${expected}`;
    let endpoint = this.#known.get(key);
    if (endpoint === undefined) {
      endpoint = new Endpoint(address, (keeper) => this.#open(target, keeper), this.#parts);
      this.#known.set(key, endpoint);
    }
    return endpoint;
  }

  /** Lets go of those that no peer lists any more. */
  collect(): void {
    for (const [key, { users, way }] of this.#known) {
      if (users.size > 0) continue;
      this.#known.delete(key);
      this.#leaving.add(way);
      way.retire();
    }
    for (const way of this.#leaving) if (way.connections === 0) this.#leaving.delete(way);
  }

  outdate(): void {
    for (const { way } of this.#known.values()) way.outdate();
  }
  forgetUse(): void {
    for (const { way } of this.#known.values()) way.forgetUse();
  }
  retire(): void {
    for (const way of this.#ways()) way.retire();
  }
  destroy(): void {
    for (const way of this.#ways()) way.destroy();
  }

  *#ways(): Generator<W> {
    for (const { way } of this.#known.values()) yield way;
    yield* this.#leaving;
  }
}
