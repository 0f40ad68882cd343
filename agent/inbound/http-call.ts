import type { RequestHead } from '#agent/http/head.ts';
import type { HttpCall } from '#policy/model.ts';

/** What rules can ask of a request. `path`: normalised. */
export function httpCall({ method, host, headers }: RequestHead, path: string): HttpCall {
  return {
    method,
    host,
    path,
    header: (wanted) => headers.filter(({ name }) => name === wanted).map(({ value }) => value),
  };
}
