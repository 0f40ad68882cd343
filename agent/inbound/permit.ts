import type { VerifiedPeer } from '#agent/tls/verified-peer.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import { decide, type Call, type RuleIndex } from '#policy/decide.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

const proof = Symbol('permit'); // not exported: only `authorize` makes a Permit

/** The proof that a call was judged and allowed. Nothing reaches the app without one. */
export interface Permit {
  readonly principal: SpiffeId;
  /** The rule that let it in. */
  readonly rule: string;
  readonly [proof]: true;
}

export type DenyReason = 'no-rule-matches' | 'peer-svid-expired';

/** What is judged: the call, and until when the caller's proof holds. */
interface JudgedCall extends Call {
  readonly peerNotAfterMs: number;
}

/** Judges one request or connection. A peer whose SVID has expired since its handshake is nobody any more. */
function authorize(rules: RuleIndex, call: JudgedCall, nowMs: number): Result<Permit, DenyReason> {
  if (nowMs >= call.peerNotAfterMs) return refuse('peer-svid-expired');
  const decision = decide(rules, call);
  return decision.allow
    ? ok({ principal: call.principal, rule: decision.rule, [proof]: true })
    : refuse(decision.reason);
}

const expired: Result<never, DenyReason> = refuse('peer-svid-expired');

/** Judges one caller's requests to one port. A verdict stands for as long as nothing it rests on has changed. */
export class PortJudge {
  readonly #rules: () => RuleIndex;
  readonly #port: number;
  #judged: { readonly rules: RuleIndex; readonly peer: VerifiedPeer } | undefined;
  #verdict: Result<Permit, DenyReason> = expired;

  constructor(rules: () => RuleIndex, port: number) {
    this.#rules = rules;
    this.#port = port;
  }

  /** The same object for the same verdict. */
  judge(peer: VerifiedPeer, nowMs: number): Result<Permit, DenyReason> {
    if (nowMs >= peer.svid.notAfterMs) return expired;
    const rules = this.#rules();
    if (this.#judged?.peer === peer && this.#judged.rules === rules) return this.#verdict;
    this.#judged = { rules, peer };
    const call = { principal: peer.spiffeId, port: this.#port, peerNotAfterMs: peer.svid.notAfterMs };
    this.#verdict = authorize(rules, call, nowMs);
    return this.#verdict;
  }
}
