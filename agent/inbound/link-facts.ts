import type { Socket } from 'node:net';
import type { Address } from '#agent/config-types.ts';

/** A caller's connection as it was accepted. */
export interface LinkFacts {
  /** Its two ends: IP addresses. */
  readonly caller: Address;
  readonly agent: Address;
  /** `TLSv1.3`; undefined: plaintext. */
  readonly tlsVersion: string | undefined;
}

/** Read before it is used: a socket that has closed knows its ends no more. Undefined: it is gone already. */
export function linkFacts(socket: Socket, tlsVersion: string | undefined): LinkFacts | undefined {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  if (localAddress === undefined || localPort === undefined) return undefined;
  return {
    caller: { host: remoteAddress, port: remotePort },
    agent: { host: localAddress, port: localPort },
    tlsVersion,
  };
}
