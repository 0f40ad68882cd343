import { headerField, type HeaderField } from './header-field.ts';

/** The fields by which we frame messages and end connections, made once. */
export const chunkedCoding = headerField('Transfer-Encoding', 'chunked');
export const connectionClose = headerField('Connection', 'close');
export const connectionKeepAlive = headerField('Connection', 'keep-alive');
export const webSocketUpgrade: readonly HeaderField[] = [
  headerField('Connection', 'Upgrade'),
  headerField('Upgrade', 'websocket'),
];

/** `bytes` is a whole number from 0 to 2^53 − 1. */
export function contentLength(bytes: number): HeaderField {
  return { name: 'content-length', rawName: 'Content-Length', value: String(bytes) };
}
