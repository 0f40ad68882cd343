import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { createIdentityStore } from '#agent/identity/store.ts';
import { clientTlsOptions } from '#agent/tls/contexts.ts';
import type { PairWorld } from './pair-world.ts';

/** cart's app as a foreign client, which has no agent, and the TCP connection below it. */
export async function dialMtls(
  world: PairWorld,
  address: { readonly host: string; readonly port: number },
  { alpn = [], lifeMs = 60_000 }: { readonly alpn?: string[]; readonly lifeMs?: number } = {},
): Promise<{ readonly raw: Socket; readonly tls: TLSSocket }> {
  const self = createIdentityStore().replace(await world.domain.identity('cart', lifeMs));
  const raw = connectTcp({ ...address, allowHalfOpen: true }).on('error', () => undefined);
  const tls = connect({ ...clientTlsOptions(self), socket: raw, ALPNProtocols: alpn });
  tls.on('error', () => undefined);
  world.onEnd(() => void (tls.destroy(), raw.destroy()));
  await once(tls, 'secureConnect');
  return { raw, tls };
}
