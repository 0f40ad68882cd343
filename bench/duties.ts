import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage, type ClientRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Pair } from './pair.ts';

/**
 * A pair that checks less is not slower but something else: throws unless the app hears of `cart` and of no forged
 * caller, and ingress serves neither a stranger without certificate nor one whose certificate is not `cart`'s.
 */
export async function checkDuties({ subject, place, url }: Pair): Promise<void> {
  const forged = { 'x-forwarded-client-cert': 'URI=spiffe://forged.example/admin' };
  const reply = await ask(httpRequest(new URL('identity', url), { headers: forged, agent: false }));
  if (reply.status !== 200 || !reply.body.includes('cart') || reply.body.includes('forged')) {
    throw new Error(`${subject} does not tell the app who calls: ${reply.status} ${reply.body}`);
  }
  const own = place.certificatesOf('prices');
  const other = { cert: readFileSync(join(own, 'tls.crt')), key: readFileSync(join(own, 'tls.key')) };
  for (const [who, shown] of [
    ['without a certificate', {}],
    ['with another certificate', other],
  ] as const) {
    const direct = { port: place.ingressPort, host: '127.0.0.1', rejectUnauthorized: false, agent: false, ...shown };
    const answer = await ask(httpsRequest(direct)).catch(() => undefined); // most refuse in the handshake
    if (answer !== undefined && answer.status < 400) throw new Error(`${subject} serves a caller ${who}`);
  }
}

async function ask(request: ClientRequest): Promise<{ status: number; body: string }> {
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: await text(response) };
}
