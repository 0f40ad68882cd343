import { foldedName, type HeaderField } from './header-field.ts';

/** Names by which identity reaches the app. Only the agent that verified the caller sets them. */
const reservedNames = new Set([
  'x-forwarded-client-cert',
  'x-mesh-identity',
  'workload-identity-token',
  'workload-proof-token',
]);
const reservedPrefix = 'x-eastwest-';

/**
 * Whether a lower-case field name is ours in any spelling: a server that maps names to variables (CGI, WSGI) sees
 * `X_Forwarded_Client_Cert` and `x.forwarded.client.cert` as the real one.
 */
export function isReservedName(name: string): boolean {
  if (name.length < reservedPrefix.length || !mayBeReserved(name)) return false;
  const folded = foldedName(name);
  return reservedNames.has(folded) || folded.startsWith(reservedPrefix);
}

/** Rules most names out by a look at two characters: `x-e…`, `x-f…`, `x-m…` and `w…` remain. */
function mayBeReserved(name: string): boolean {
  const first = name.charCodeAt(0);
  if (first !== 0x78) return first === 0x77;
  const third = name.charCodeAt(2);
  return third === 0x65 || third === 0x66 || third === 0x6d;
}

/** Headers or trailers without every field under a name of ours, in any spelling. */
export function stripReserved(fields: readonly HeaderField[]): HeaderField[] {
  const out: HeaderField[] = [];
  for (const field of fields) {
    if (!isReservedName(field.name)) out.push(field);
  }
  return out;
}
