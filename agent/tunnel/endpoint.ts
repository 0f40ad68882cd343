import type { Address } from '#agent/config-types.ts';
import { backoffMs } from '#runtime/backoff.ts';
import type { Clock, Random } from '#runtime/clock.ts';
import { unreachable, type Result } from '#runtime/result.ts';
import type { Dialer, OnRetired, PeerConnection } from './dialer.ts';
import type { Candidate } from './endpoint-choice.ts';
import type { OpenProblem } from './peer.ts';

/** Uses an endpoint: keeps streams to it, and chooses between it and others. */
export interface EndpointUser {
  /** It was set aside, or is good again. */
  onStanding(): void;
  /** Nothing more may go out on `connection`: what is kept of it is to be ended. */
  onRetired(connection: PeerConnection): void;
}

const bounds = { baseMs: 1_000, maxMs: 30_000 };

/** One address where a peer answers: what it carries, and whether it could be reached lately. Shared by all ports of the peer. */
export class Endpoint<D extends Dialer = Dialer> implements Candidate {
  readonly address: Address;
  readonly dialer: D;
  readonly users = new Set<EndpointUser>();
  #pending = 0;
  #failures = 0;
  /** Attempts that began before a failure was known fail with it, not once more. */
  #round = 0;
  #asideUntilMs = 0;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(
    address: Address,
    createDialer: (onRetired: OnRetired) => D,
    { clock, random }: { clock: Clock; random: Random },
  ) {
    this.address = address;
    this.#clock = clock;
    this.#random = random;
    this.dialer = createDialer((connection) => this.#retired(connection));
  }

  get load(): number {
    return this.dialer.load + this.#pending;
  }
  get asideUntilMs(): number {
    return this.#asideUntilMs;
  }

  /** Something that may take `deadlineMs`; what becomes of it counts for the endpoint. */
  async attempt<T>(deadlineMs: number, work: () => Promise<Result<T, OpenProblem>>): Promise<Result<T, OpenProblem>> {
    const round = this.#round;
    this.#pending += 1;
    if (this.#failures > 0) this.#setAside(deadlineMs); // others wait elsewhere for the outcome
    try {
      const result = await work();
      if (result.ok) this.#succeeded();
      else if (round === this.#round && isOfEndpoint(result.reason)) this.#failed();
      return result;
    } finally {
      this.#pending -= 1;
    }
  }

  /** Set aside for longer each time. */
  #failed(): void {
    this.#setAside(backoffMs(this.#failures, bounds, this.#random()));
    this.#failures += 1;
    this.#round += 1;
  }
  #succeeded(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    this.#asideUntilMs = 0;
    this.#tell();
  }
  #setAside(ms: number): void {
    this.#asideUntilMs = this.#clock.monotonic() + ms;
    this.#tell();
  }
  #tell(): void {
    for (const user of this.users) user.onStanding();
  }
  #retired(connection: PeerConnection): void {
    for (const user of this.users) user.onRetired(connection);
  }
}

/** Whether a failure says something of the endpoint; others are about us, or about the app behind it. */
function isOfEndpoint(problem: OpenProblem): boolean {
  switch (problem) {
    case 'unreachable':
    case 'handshake-failed':
    case 'wrong-peer':
    case 'peer-not-verified':
      return true;
    case 'no-identity':
    case 'own-svid-expired':
    case 'no-endpoint':
    case 'refused-by-peer':
    case 'no-such-port':
    case 'app-unreachable':
    case 'stopping':
    case 'too-many-requests-in-flight':
    case 'no-token':
    case 'token-not-issued':
    case 'token-unusable':
    case 'too-many-tokens':
      return false;
    default:
      return unreachable(problem);
  }
}
