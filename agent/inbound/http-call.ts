import type { RequestHead } from '#agent/http/head.ts';
import { isSpellingOf, type HeaderField } from '#agent/http/header-field.ts';
import { overridesIn } from '#agent/http/method-override.ts';
import { stripReserved } from '#agent/http/reserved.ts';
import { endToEndHeaders } from '#agent/http/write.ts';
import type { HttpCall } from '#policy/model.ts';
import type { PresentedAccessToken } from '#tokens/access-token.ts';

export interface CallTokens {
  /** Where they come. */
  readonly header: string;
  /** Undefined: the request brought none that is good. */
  readonly token: PresentedAccessToken | undefined;
}

const noValues: readonly string[] = [];

/**
 * What rules can ask of a request: that which the app gets, no header that is left out on the way or that only we set. Of a
 * header every spelling counts that some apps take for it: what admits must admit them all, one is enough for what refuses.
 * `path`: normalised.
 */
export function httpCall(head: RequestHead, path: string, tokens?: CallTokens): HttpCall {
  const { method, host } = head;
  let delivered: readonly HeaderField[] | undefined;
  return {
    method,
    alsoMethods: method === 'POST' ? overridesIn(head.headers) : undefined,
    host: host === '' ? 'localhost' : host, // as the app is told where a caller of HTTP/1.0 says nothing
    path,
    token: tokens?.token,
    header(wanted) {
      if (tokens !== undefined && isSpellingOf(tokens.header, wanted)) return noValues; // a token is asked by its claims
      delivered ??= deliveredOf(head);
      return delivered.filter(({ name }) => isSpellingOf(name, wanted)).map(({ value }) => value);
    },
  };
}

function deliveredOf({ headers }: RequestHead): readonly HeaderField[] {
  const endToEnd = endToEndHeaders(headers);
  return endToEnd.ok ? stripReserved(endToEnd.value) : [];
}
