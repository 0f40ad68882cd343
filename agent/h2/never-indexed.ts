import { isSecretName, type HeaderField } from '#agent/http/header-field.ts';

const marked = new WeakSet<HeaderField>();

/** Notes that a sender wants a field never to be indexed: whoever passes it on must say the same (RFC 7541, section 6.2.3). */
export function markNeverIndexed(field: HeaderField): void {
  if (!isSecretName(field.name)) marked.add(field);
}

export function isMarkedNeverIndexed(field: HeaderField): boolean {
  return marked.has(field);
}
