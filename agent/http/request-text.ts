import type { RequestHead } from './head.ts';
import { headerField } from './header-field.ts';
import type { Forwarded } from './message.ts';
import { contentLength } from './own-fields.ts';
import { writeFieldLines } from './write.ts';

/** The request's head as HTTP/1.1, in Latin-1, framed anew. */
export function requestText(request: Forwarded): string {
  return (request.written ??= write(request));
}

function write(request: Forwarded): string {
  const { head, headers } = request;
  let text = `${head.method} ${request.target} HTTP/1.1\r\n`;
  let hasHost = false;
  for (const { name, rawName, value } of headers) {
    if (name.length === 4 && name === 'host') hasHost = true;
    text += `${rawName}: ${value}\r\n`;
  }
  if (!hasHost) text += writeFieldLines([headerField('Host', head.host || 'localhost')]); // HTTP/1.0, HTTP/2
  if (head.framing.kind === 'length') text += writeFieldLines([contentLength(head.framing.bytes)]);
  if (head.framing.kind === 'chunked') text += 'Transfer-Encoding: chunked\r\n';
  if (isForwardedUpgrade(head)) text += 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
  return `${text}\r\n`;
}

/** Only WebSocket is passed on; an offer of anything else is left out, as RFC 9110, section 7.8 lets a proxy do. */
export function isForwardedUpgrade(head: RequestHead): boolean {
  return head.upgrade === 'websocket' && head.method === 'GET' && head.framing.kind === 'none';
}

/** To ask twice is to ask once (RFC 9110, section 9.2.2). */
export function isRepeatable({ head: { method, framing } }: Forwarded): boolean {
  return framing.kind === 'none' && (method === 'GET' || method === 'HEAD' || method === 'OPTIONS');
}
