import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { CompiledPolicy } from '#policy/compile.ts';
import { decide, deniedBy, isForScopeAlone, mtlsModeOf, tokenDeniedBy } from '#policy/decide.ts';
import type { Decision, DenyEntry, HttpCall } from '#policy/model.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { InboundPeer } from './inbound-peer.ts';
import type { TokenRefusal } from './port-tokens.ts';

const proof = Symbol('permit'); // not exported: only `authorize` makes a Permit

/** The proof that a call was judged and allowed. Nothing reaches the app without one. */
export interface Permit {
  /** Undefined: a plaintext caller. */
  readonly principal: SpiffeId | undefined;
  /** The rule that let it in. */
  readonly rule: string;
  readonly [proof]: true;
}

export type DenyReason =
  | 'no-rule-matches'
  | 'denied-by-rule'
  | 'denied-by-list'
  | 'peer-svid-expired'
  | 'port-is-strict'
  /** Missing, or refused by itself or for whom it comes from: `token` says why. */
  | 'token-refused'
  /** A deny list names it, its key, its client or its user. */
  | 'token-denied'
  | 'insufficient-scope';

export interface Refusal {
  readonly reason: DenyReason;
  /** Of `denied-by-rule` the rule, of `denied-by-list` what the list says. */
  readonly rule?: string;
  /** Of `denied-by-list` the entry, as it stands in its list. */
  readonly denial?: DenyEntry;
  /** Of `token-refused`. */
  readonly token?: TokenRefusal;
}

/** What verdicts about a caller rest on besides what it asks for. Another object whenever anything of it changes. */
export interface Standing {
  readonly policy: CompiledPolicy;
  readonly peer: InboundPeer;
}

export interface Judged {
  readonly permit: Result<Permit, Refusal>;
  /** Rules that only look on. */
  readonly notes: Pick<Decision, 'audited' | 'dryRun'>;
}

/** Judges one request or connection of a caller whose standing is good. `http`: undefined for what is opaque. */
function authorize({ policy, peer }: Standing, port: number, http: HttpCall | undefined): Judged {
  const principal = peer.spiffeId;
  const decision = decide(policy, { principal, port, http });
  if (decision.allow) return { permit: ok({ principal, rule: decision.rule, [proof]: true }), notes: decision };
  const { reason } = decision;
  if (reason === 'no-rule-matches' && isForScopeAlone(policy, { principal, port, http })) {
    return { permit: refuse({ reason: 'insufficient-scope' }), notes: decision };
  }
  return {
    permit: refuse(reason === 'denied-by-rule' ? { reason, rule: decision.rule } : { reason }),
    notes: decision,
  };
}

const noNotes: Judged['notes'] = { audited: [], dryRun: [] };

const expired: Result<never, Refusal> = refuse({ reason: 'peer-svid-expired' });
const strict: Result<never, Refusal> = refuse({ reason: 'port-is-strict' });

/** Judges one caller's requests to one port. */
export class PortJudge {
  readonly #policy: () => CompiledPolicy;
  readonly #port: number;
  #standing: (Result<Standing, Refusal> & { readonly ok: true }) | undefined;

  constructor(policy: () => CompiledPolicy, port: number) {
    this.#policy = policy;
    this.#port = port;
  }

  /**
   * Whether the caller may ask for anything at all: its certificate holds, and no list denies it; or it has none, and the
   * port is permissive. The same object as long as the same rules and the same proof stand; entries of deny lists only
   * ever end by themselves, they never begin.
   */
  standing(peer: InboundPeer, nowMs: number): Result<Standing, Refusal> {
    if (peer.spiffeId === undefined) return this.#plaintextStanding(peer);
    if (nowMs >= peer.svid.notAfterMs) return expired;
    const policy = this.#policy();
    const known = this.#standing;
    if (known?.value.peer === peer && known.value.policy === policy) return known;
    const { serialHex, keyThumbprint } = peer.svid;
    const denial = deniedBy(policy, { spiffeId: peer.spiffeId, serial: serialHex, keyThumbprint }, nowMs);
    if (denial !== undefined) return refuse({ reason: 'denied-by-list', rule: denial.reason, denial });
    return this.#stands({ policy, peer });
  }

  #plaintextStanding(peer: InboundPeer): Result<Standing, Refusal> {
    const policy = this.#policy();
    const known = this.#standing;
    if (known?.value.peer === peer && known.value.policy === policy) return known;
    return mtlsModeOf(policy, this.#port) === 'PERMISSIVE' ? this.#stands({ policy, peer }) : strict;
  }

  #stands(standing: Standing): Result<Standing, Refusal> {
    const good = { ok: true, value: standing } as const;
    this.#standing = good;
    return good;
  }

  judge(standing: Standing, http: HttpCall | undefined, nowMs: number): Judged {
    const denial = http?.token && tokenDeniedBy(standing.policy, http.token, nowMs);
    if (denial !== undefined)
      return { permit: refuse({ reason: 'token-denied', rule: denial.reason }), notes: noNotes };
    return authorize(standing, this.#port, http);
  }

  /** Why a call may not go on; undefined: it may. That its certificate has expired is `whenExpired`'s business. */
  refusalOf(peer: InboundPeer, http: HttpCall | undefined, nowMs: number): Refusal | undefined {
    const standing = this.standing(peer, nowMs);
    if (!standing.ok) return standing.reason.reason === 'peer-svid-expired' ? undefined : standing.reason;
    const { permit } = this.judge(standing.value, http, nowMs);
    return permit.ok ? undefined : permit.reason;
  }
}
