import type { HeaderField } from '#agent/http/header-field.ts';

/** Secrets: a caller who shares a session must not learn from lengths whether it guessed one (RFC 7541, section 7.1.3). */
const secretNames: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'workload-identity-token',
  'workload-proof-token',
]);

const marked = new WeakSet<HeaderField>();

export function isSecretName(name: string): boolean {
  return secretNames.has(name);
}

/** Notes that a sender wants a field never to be indexed: whoever passes it on must say the same (RFC 7541, section 6.2.3). */
export function markNeverIndexed(field: HeaderField): void {
  if (!secretNames.has(field.name)) marked.add(field);
}

export function isMarkedNeverIndexed(field: HeaderField): boolean {
  return marked.has(field);
}
