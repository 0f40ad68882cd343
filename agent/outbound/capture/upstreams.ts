import type { UpstreamConfig } from '#agent/config-types.ts';
import { ok, refuse } from '#runtime/result.ts';
import type { Destinations } from '#agent/outbound/destination.ts';
import type { Route } from '#agent/outbound/serve.ts';

/** The app dialled the loopback port of an upstream: every request on it is for that one. */
export function upstreamRoute(destinations: Destinations, upstream: UpstreamConfig): Route {
  return (head) => {
    if (head.form !== 'origin' && head.form !== 'asterisk') return refuse('unknown-destination');
    const peer = destinations.resolve(upstream);
    return peer.ok ? ok({ kind: 'peer', peer: peer.value, target: head.target }) : peer;
  };
}
