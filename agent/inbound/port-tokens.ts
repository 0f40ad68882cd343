import type { InboundPortConfig, PortTokenConfig } from '#agent/config-types.ts';
import { headerField, isSpellingOf, type HeaderField } from '#agent/http/header-field.ts';
import type { RequestHead } from '#agent/http/head.ts';
import { tokenSkewMs, type TokenJudge } from '#agent/tokens/token-judge.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { PresentedAccessToken } from '#tokens/access-token.ts';
import { claimsText } from '#tokens/claims-text.ts';
import type { Presenter } from '#tokens/confirmation.ts';
import type { TokenProblem } from '#tokens/problem.ts';
import type { InboundPeer } from './inbound-peer.ts';

/** Why a request's token is not believed: for logs, metrics and `explain`, never for the caller (A27). */
export type TokenRefusal =
  | TokenProblem
  /** `Authorization` of another kind than `Bearer`. */
  | 'other-scheme'
  /** Somebody on the way may have read it (S45). */
  | 'sent-in-plaintext';

/** Of one port that asks for tokens. */
export interface PortTokenParts {
  readonly config: PortTokenConfig;
  readonly judge: TokenJudge;
  readonly whenExpired: 'keep' | 'end';
  readonly clock: Clock;
  /** A running request may have to end then; undefined: nobody ends those of expired tokens. */
  readonly onAdmitted: ((acceptedUntilMs: number) => void) | undefined;
}

/** Gives a port's, undefined where it asks for no token. */
export type TokensOf = (port: InboundPortConfig) => PortTokenParts | undefined;

/** The access tokens of one caller's requests to one port. */
export class PortTokens {
  readonly #parts: PortTokenParts;
  #presenter: Presenter = { certificateThumbprint: undefined, dpopThumbprint: undefined };
  #presenterOf: InboundPeer | undefined;
  /** The last request whose token was good: a caller that repeats its head repeats its token. */
  #lastHead: RequestHead | undefined;
  #lastEpoch = 0;
  #last: (Result<PresentedAccessToken, TokenRefusal> & { readonly ok: true }) | undefined;

  constructor(parts: PortTokenParts) {
    this.#parts = parts;
  }

  get header(): string {
    return this.#parts.config.header;
  }

  /** Judges a request's token together with who sends it. The same object for the same head and verdict. */
  judge(head: RequestHead, peer: InboundPeer): Result<PresentedAccessToken, TokenRefusal> {
    const { judge, clock } = this.#parts;
    const last = this.#last;
    if (
      last !== undefined &&
      head === this.#lastHead &&
      peer === this.#presenterOf &&
      judge.epoch === this.#lastEpoch
    ) {
      if (clock.now() < last.value.expiresAtMs) return last;
    }
    const text = tokenOf(head, this.header);
    if (!text.ok) return text;
    if (peer.spiffeId === undefined) return refuse('sent-in-plaintext');
    if (peer !== this.#presenterOf) {
      this.#presenterOf = peer;
      this.#presenter = { certificateThumbprint: peer.svid.thumbprint, dpopThumbprint: undefined };
    }
    const judged = judge.judge(text.value, this.#presenter);
    if (!judged.ok) return judged;
    this.#lastHead = head;
    this.#lastEpoch = judge.epoch;
    this.#last = judged;
    this.#parts.onAdmitted?.(judged.value.expiresAtMs + tokenSkewMs);
    return judged;
  }

  /** For one that was refused as `unknown-kid`: when it is worth another look; undefined: it is not. */
  awaitKeys(head: RequestHead): Promise<void> | undefined {
    const text = tokenOf(head, this.header);
    return text.ok ? this.#parts.judge.awaitKeys(text.value) : undefined;
  }

  /** That of a request which was admitted and still runs. */
  recheck(head: RequestHead): Result<PresentedAccessToken, TokenRefusal> {
    const { judge, whenExpired } = this.#parts;
    const text = tokenOf(head, this.header);
    return text.ok ? judge.recheck(text.value, whenExpired) : text;
  }

  /** Whether `audit-only` let it pass though it is for somebody else. */
  isForAnother(token: PresentedAccessToken): boolean {
    return token.audience !== this.#parts.judge.audience;
  }

  /** The app gets the token only where that is asked for, and never one in another spelling, which nobody judged. */
  strip(headers: readonly HeaderField[]): HeaderField[] {
    const { header, forward } = this.#parts.config;
    return headers.filter(({ name }) => !isSpellingOf(name, header) || (forward === 'token' && name === header));
  }

  /** Adds what it says, in a header of ours, where that is asked for. */
  tell(headers: HeaderField[], token: PresentedAccessToken): void {
    if (this.#parts.config.forward === 'claims') headers.push(claimsField(token));
  }
}

const fieldOf = new WeakMap<PresentedAccessToken, HeaderField>();

/** Reserved by its prefix: a caller's own never gets this far (A48). */
function claimsField(token: PresentedAccessToken): HeaderField {
  let field = fieldOf.get(token);
  if (field === undefined) {
    field = headerField('X-Eastwest-Token-Claims', claimsText(token));
    fieldOf.set(token, field);
  }
  return field;
}

const bearerForm = /^bearer +/i;

/** Exactly one value, in `Authorization` with its scheme (RFC 6750, section 2.1). */
function tokenOf({ headers }: RequestHead, header: string): Result<string, TokenRefusal> {
  let value: string | undefined;
  for (const field of headers) {
    if (field.name.length !== header.length || field.name !== header) continue;
    if (value !== undefined) return refuse('several-headers');
    value = field.value;
  }
  if (value === undefined) return refuse('no-header');
  if (header !== 'authorization') return ok(value);
  const scheme = bearerForm.exec(value);
  return scheme === null ? refuse('other-scheme') : ok(value.slice(scheme[0].length));
}
