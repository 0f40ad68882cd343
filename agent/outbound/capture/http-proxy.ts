import type { Socket } from 'node:net';
import type { Address, UpstreamConfig } from '#agent/config-types.ts';
import type { RequestHead } from '#agent/http/head.ts';
import type { HandedOver } from '#agent/http/serve.ts';
import { originForm } from '#agent/http/target.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { OutboundProblem } from '#agent/outbound/answers.ts';
import {
  serveOutboundHttp,
  serveOutboundTcp,
  type OutboundParts,
  type Route,
  type Routed,
} from '#agent/outbound/serve.ts';
import { upstreamRoute } from './upstreams.ts';

const established = Buffer.from('HTTP/1.1 200 Connection Established\r\n\r\n', 'latin1');

/**
 * The app was told `HTTP_PROXY`: absolute-form requests and CONNECT name their destination (RFC 9112 §3.2). After
 * CONNECT the port's declared protocol is served on the same connection.
 */
export function httpProxyRoute(parts: OutboundParts, unknown: 'refuse' | 'passthrough', socket: Socket): Route {
  return (head) =>
    head.method === 'CONNECT' ? connectRoute(parts, unknown, socket, head) : requestRoute(parts, unknown, head);
}

function requestRoute(
  parts: OutboundParts,
  unknown: 'refuse' | 'passthrough',
  head: RequestHead,
): Result<Routed, OutboundProblem> {
  const isHttp = head.form === 'absolute' && head.target.slice(0, 7).toLowerCase() === 'http://';
  const address = isHttp ? splitAuthority(head.host.replace(/(?<!:\d{1,5})$/, ':80')) : undefined;
  if (!address) return refuse('unknown-destination');
  const target = originForm(head);
  const upstream = parts.destinations.find(address.host, address.port);
  if (!upstream && unknown === 'passthrough') return ok({ kind: 'past-the-mesh', address, target });
  if (upstream?.protocol !== 'http') return refuse('unknown-destination');
  const peer = parts.destinations.resolve(upstream);
  return peer.ok ? ok({ kind: 'peer', peer: peer.value, target }) : peer;
}

function connectRoute(
  parts: OutboundParts,
  unknown: 'refuse' | 'passthrough',
  socket: Socket,
  head: RequestHead,
): Result<Routed, OutboundProblem> {
  const address = splitAuthority(head.target);
  if (!address) return refuse('unknown-destination');
  const upstream: UpstreamConfig | undefined = parts.destinations.find(address.host, address.port);
  if (!upstream && unknown === 'refuse') return refuse('unknown-destination');
  const serve = (): HandedOver =>
    upstream?.protocol === 'http'
      ? serveOutboundHttp(parts, socket, upstreamRoute(parts.destinations, upstream))
      : { done: serveOutboundTcp(parts, socket, upstream ?? address) };
  return ok({ kind: 'hand-over', answer: established, serve });
}

/** `prices:7002`, `[::1]:7002`. */
function splitAuthority(authority: string): Address | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(authority) ?? [];
  const host = bracketed ?? plain;
  return host === undefined ? undefined : { host, port: Number(digits) };
}
