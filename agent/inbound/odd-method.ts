import { METHODS } from 'node:http';

const known = new Set(METHODS);

/** Methods are case-sensitive (RFC 9110, section 9.1), but some apps take `delete` for DELETE, which rules know as another. */
export function isOddlySpelt(method: string): boolean {
  return !known.has(method) && known.has(method.toUpperCase());
}
