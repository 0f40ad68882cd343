import { headerField, type HeaderField } from './header-field.ts';

/** Of a 101 that we pass on. */
export const webSocketUpgrade: readonly HeaderField[] = [
  headerField('Connection', 'Upgrade'),
  headerField('Upgrade', 'websocket'),
];

/** `bytes` is a whole number from 0 to 2^53 − 1. */
export function contentLength(bytes: number): HeaderField {
  return { name: 'content-length', rawName: 'Content-Length', value: String(bytes) };
}
