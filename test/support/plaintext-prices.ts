import { connect, type Socket } from 'node:net';
import type { InboundPortConfig } from '#agent/config-types.ts';
import type { ServingAgent } from './agent-pair.ts';
import type { PairOptions, PairWorld } from './pair-world.ts';

const listen = { host: '127.0.0.1', port: 0 };

/** The mode of all ports of prices. */
export const modeText = (mode: string): string => `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { namespace: default, name: prices }
spec: { selector: { matchLabels: { app: prices } }, mtls: { mode: ${mode} } }
---
`;

/** By default: port 7002 is anybody's. */
export const anyoneText = (
  spec = 'rules: [{ to: [{ operation: { ports: ["7002"] } }] }]',
  name = 'anyone',
): string => `apiVersion: eastwest.dev/v1
kind: AuthorizationPolicy
metadata: { namespace: default, name: ${name} }
spec: { ${spec} }
---
`;

/** prices with a listener of port 7002 alone, whose callers need no certificate if rules say so. */
export async function permissivePrices(
  world: PairWorld,
  appPort: number,
  options: PairOptions & Partial<InboundPortConfig> = {},
): Promise<{ readonly prices: ServingAgent; readonly port: number }> {
  const { prices } = await world.pair(appPort, { listen, mode: 'PERMISSIVE', ...options });
  return { prices, port: prices.inbound.ports[0]!.address.port };
}

/** Resolves once the other end is gone, with all that it said. */
export function farewell(socket: Socket): Promise<string> {
  let said = '';
  socket.on('error', () => undefined).on('data', (piece) => (said += piece.toString('latin1')));
  return new Promise((resolve) => socket.once('close', () => resolve(said)));
}

export function dialTcp(world: PairWorld, port: number, bytes = ''): Socket {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  world.onEnd(() => socket.destroy());
  if (bytes) socket.write(bytes);
  return socket;
}

export const getText = 'GET /a?token=x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
