import type { HeaderField } from '#agent/http/header-field.ts';

const form = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/;

/** The trace that a request belongs to, by `traceparent` (W3C Trace Context, section 3.2); undefined where it is none. */
export function traceIdOf(headers: readonly HeaderField[]): string | undefined {
  for (const { name, value } of headers) {
    if (name.length !== 11 || name !== 'traceparent') continue;
    const [, traceId] = form.exec(value) ?? [];
    return traceId === '00000000000000000000000000000000' ? undefined : traceId;
  }
  return undefined;
}
