import type { AttachProblem } from '#agent/http/attachment.ts';
import type { Result } from '#runtime/result.ts';
import type { TokenWish } from './token-wish.ts';

/** A token of ours, by our own clock. */
export interface KeptToken {
  readonly text: string;
  readonly issuedAtMs: number;
  /** From here on its successor is fetched, while this one is used. */
  readonly dueAtMs: number;
  /** From here on it may arrive too late to be accepted. */
  readonly usableUntilMs: number;
}

/** Why there is none; `detail`: in the field's words, without a secret. */
export interface TokenLack {
  readonly problem: AttachProblem;
  readonly detail: string;
}

/** Gets the token for our certificate with this thumbprint. Never throws. */
export type AskToken = (thumbprint: string, wish: TokenWish) => Promise<Result<KeptToken, TokenLack>>;
