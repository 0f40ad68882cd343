import { acceptedUntilMs, type TimeRules, type Validity } from './times.ts';

/** Tokens that were verified, by their exact text: any other byte is another token (A26). */
export interface VerifiedTokens<T> {
  /**
   * The verdict, unless it has expired or was reached in another `epoch`. The epoch is the caller's count of changes after which
   * every token is to be judged anew: key sets, deny lists (A25, S80).
   */
  get(text: string, nowMs: number, epoch: number): T | undefined;
  put(text: string, token: T, epoch: number): void;
  /** Forgets what this key signed, at once (S80). */
  forgetKid(kid: string): void;
  readonly size: number;
}

export interface VerifiedTokensLimits extends Pick<TimeRules, 'skewSeconds'> {
  readonly maxTokens: number;
  /** Of the texts together, in characters. */
  readonly maxLength: number;
}

interface Entry<T> {
  /** A copy: a slice would keep the whole request head in memory. */
  readonly text: string;
  readonly token: T;
  readonly untilMs: number;
  readonly epoch: number;
}

/** A bounded memory of verdicts, the least recently used goes first. One for each set of rules: a verdict is for one audience. */
export function createVerifiedTokens<T extends Pick<Validity, 'expiresAtMs'> & { readonly kid: string }>(
  limits: VerifiedTokensLimits,
): VerifiedTokens<T> {
  const entries = new Map<string, Entry<T>>();
  let length = 0;
  const remove = (text: string): void => {
    if (entries.delete(text)) length -= text.length;
  };
  return {
    get(text, nowMs, epoch) {
      const entry = entries.get(text);
      if (entry === undefined) return undefined;
      if (entry.epoch !== epoch || nowMs >= entry.untilMs) {
        remove(text);
        return undefined;
      }
      entries.delete(text);
      entries.set(entry.text, entry); // now the most recently used
      return entry.token;
    },
    put(text, token, epoch) {
      if (text.length > limits.maxLength) return;
      remove(text);
      const copy = Buffer.from(text, 'latin1').toString('latin1'); // what was verified is ASCII
      entries.set(copy, { text: copy, token, epoch, untilMs: acceptedUntilMs(token, limits) });
      length += text.length;
      for (const oldest of entries.keys()) {
        if (entries.size <= limits.maxTokens && length <= limits.maxLength) break;
        remove(oldest);
      }
    },
    forgetKid(kid) {
      for (const [text, { token }] of entries) if (token.kid === kid) remove(text);
    },
    get size() {
      return entries.size;
    },
  };
}
