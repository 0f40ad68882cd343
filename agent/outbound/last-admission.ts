import type { RequestHead } from '#agent/http/head.ts';
import { LastHead } from '#agent/http/last-head.ts';
import type { Admission } from '#agent/http/service.ts';
import type { OutboundProblem } from './answers.ts';
import type { Routed } from './route.ts';

export type Forward = Admission<OutboundProblem> & { readonly kind: 'forward' };

/** The last request that was admitted, and what that rests on: the same head on the same way is admitted the same. */
export class LastAdmission {
  #head: RequestHead | undefined;
  #routed: Routed | undefined;
  #forward: Forward | undefined;

  find(head: RequestHead, routed: Routed): Forward | undefined {
    return head === this.#head && routed === this.#routed ? this.#forward : undefined;
  }

  keep(head: RequestHead, routed: Routed, forward: Forward): void {
    this.#head = head;
    this.#routed = routed;
    this.#forward = forward;
  }
}

/** What the connections to one upstream remember together. */
export class CommonMemory {
  readonly head = new LastHead<RequestHead>();
  readonly admission = new LastAdmission();
}
