import type { Attachment, AttachProblem } from '#agent/http/attachment.ts';
import { headerField, isSecretName, type HeaderField } from '#agent/http/header-field.ts';
import { markNeverIndexed } from '#agent/h2/never-indexed.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, type Result } from '#runtime/result.ts';
import type { KeptToken } from './kept-token.ts';
import type { TokenCache } from './token-cache.ts';
import type { TokenWish } from './token-wish.ts';

/** The token of one route as a header field, made once for each token. */
export class RouteToken implements Attachment {
  readonly #tokens: TokenCache;
  readonly #wish: TokenWish;
  /** Lower case. */
  readonly #header: string;
  readonly #clock: Clock;
  // The last one:
  #thumbprint = '';
  #token: KeptToken | undefined;
  #field: HeaderField | undefined;
  #untilMs = 0;

  constructor(
    { tokens, clock }: { readonly tokens: TokenCache; readonly clock: Clock },
    { wish, header }: { readonly wish: TokenWish; readonly header: string },
  ) {
    this.#tokens = tokens;
    this.#clock = clock;
    this.#wish = wish;
    this.#header = header;
  }

  field(thumbprint: string): HeaderField | undefined {
    if (thumbprint === this.#thumbprint && this.#clock.now() < this.#untilMs) return this.#field;
    const token = this.#tokens.find(thumbprint, this.#wish);
    return token && this.#fieldOf(thumbprint, token);
  }

  async obtain(thumbprint: string, ms: number): Promise<Result<HeaderField, AttachProblem>> {
    const token = await this.#tokens.obtain(thumbprint, this.#wish, ms);
    return token.ok ? ok(this.#fieldOf(thumbprint, token.value)) : token;
  }

  #fieldOf(thumbprint: string, token: KeptToken): HeaderField {
    if (this.#field === undefined || token !== this.#token) this.#field = fieldOf(this.#header, token.text);
    this.#thumbprint = thumbprint;
    this.#token = token;
    this.#untilMs = Math.min(token.dueAtMs, token.usableUntilMs); // then the cache is asked, which looks for the successor
    return this.#field;
  }
}

/** In `authorization` by its scheme (RFC 6750, section 2.1), elsewhere bare; never in HPACK's table (RFC 7541, section 7.1.3). */
function fieldOf(header: string, token: string): HeaderField {
  const field = headerField(header, header === 'authorization' ? `Bearer ${token}` : token);
  if (!isSecretName(header)) markNeverIndexed(field);
  return field;
}
