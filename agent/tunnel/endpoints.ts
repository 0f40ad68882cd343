import type { Clock, Random } from '#runtime/clock.ts';
import type { Dialer, OnRetired, Target } from './dialer.ts';
import { Endpoint } from './endpoint.ts';

/** All endpoints of one kind: one for each address and name, shared by the ports that are reached there. */
export class Endpoints<D extends Dialer> {
  readonly #createDialer: (target: Target, onRetired: OnRetired) => D;
  readonly #parts: { readonly clock: Clock; readonly random: Random };
  readonly #known = new Map<string, Endpoint<D>>();
  /** Nobody's any more; what they carry finishes. */
  readonly #leaving = new Set<D>();

  constructor(
    createDialer: (target: Target, onRetired: OnRetired) => D,
    parts: { readonly clock: Clock; readonly random: Random },
  ) {
    this.#createDialer = createDialer;
    this.#parts = parts;
  }

  get connections(): number {
    return [...this.#dialers()].reduce((sum, { connections }) => sum + connections, 0);
  }

  /** Those that are set aside at this moment. */
  countAside(nowMs: number): number {
    let count = 0;
    for (const { asideUntilMs } of this.#known.values()) if (asideUntilMs > nowMs) count += 1;
    return count;
  }

  to(target: Target): Endpoint<D> {
    const { address, expected } = target;
    const key = `${address.host} ${address.port} ${expected}`;
    let endpoint = this.#known.get(key);
    if (endpoint === undefined) {
      endpoint = new Endpoint(address, (onRetired) => this.#createDialer(target, onRetired), this.#parts);
      this.#known.set(key, endpoint);
    }
    return endpoint;
  }

  /** Lets go of those that no peer lists any more. */
  collect(): void {
    for (const [key, { users, dialer }] of this.#known) {
      if (users.size > 0) continue;
      this.#known.delete(key);
      this.#leaving.add(dialer);
      dialer.retire();
    }
    for (const dialer of this.#leaving) if (dialer.connections === 0) this.#leaving.delete(dialer);
  }

  outdate(): void {
    for (const { dialer } of this.#known.values()) dialer.outdate();
  }
  forgetUse(): void {
    for (const { dialer } of this.#known.values()) dialer.forgetUse();
  }
  retire(): void {
    for (const dialer of this.#dialers()) dialer.retire();
  }
  destroy(): void {
    for (const dialer of this.#dialers()) dialer.destroy();
  }

  *#dialers(): Generator<D> {
    for (const { dialer } of this.#known.values()) yield dialer;
    yield* this.#leaving;
  }
}
