import type { RequestHead } from './head.ts';
import type { Admission } from './service.ts';

export type Forward<P> = Admission<P> & { readonly kind: 'forward' };

/**
 * The last request that was admitted, and what that rests on: a verdict, a way. Who decides gives another object whenever
 * anything about it changes (the proof, the rules, the peer), so the same head on the same basis is admitted the same, and
 * no admission outlives its basis.
 */
export class LastAdmission<P> {
  #head: RequestHead | undefined;
  #basis: object | undefined;
  #forward: Forward<P> | undefined;

  /** The basis is to be found out anew for each request; the expiry of a proof is its business. */
  find(head: RequestHead, basis: object): Forward<P> | undefined {
    return head === this.#head && basis === this.#basis ? this.#forward : undefined;
  }

  keep(head: RequestHead, basis: object, forward: Forward<P>): void {
    this.#head = head;
    this.#basis = basis;
    this.#forward = forward;
  }
}
