import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { systemClock } from '#runtime/system-clock.ts';
import type { Pair } from './pair.ts';
import type { Protocol } from './subjects/subject.ts';

const silentAfterMs = 500;
const forged = { 'x-forwarded-client-cert': 'URI=spiffe://forged.example/admin' };

/**
 * A pair that checks less is not slower but something else: throws unless the app hears of `cart` and of no forged
 * caller, and ingress serves neither a stranger without certificate nor one whose certificate is not `cart`'s.
 */
export async function checkDuties(pair: Pair): Promise<void> {
  const { subject, place } = pair;
  const said = await throughPair(pair);
  const right = place.protocol === 'tcp' ? said === 'ping' : said.includes('cart') && !said.includes('forged');
  if (!right) throw new Error(`${subject} does not tell the app who calls: ${said}`);
  const own = place.certificatesOf('prices');
  const other = { cert: readFileSync(join(own, 'tls.crt')), key: readFileSync(join(own, 'tls.key')) };
  for (const [who, shown] of [
    ['without a certificate', {}],
    ['with another certificate', other],
  ] as const) {
    if (await isServed(place.ingressPort, place.protocol, shown)) throw new Error(`${subject} serves a caller ${who}`);
  }
}

/** Throws unless the app hears of nobody: else the figures would say nothing of what duties cost. */
export async function checkNeglect(pair: Pair): Promise<void> {
  if ((await throughPair(pair)).includes('cart')) throw new Error(`${pair.subject} tells the app who calls`);
}

/** What the app says of its caller; of bytes, what comes back. */
async function throughPair({ place: { protocol, egressPort } }: Pair): Promise<string> {
  const url = `http://127.0.0.1:${egressPort}`;
  switch (protocol) {
    case 'http': {
      const request = httpRequest(`${url}/identity`, { headers: forged, agent: false }).end();
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      return text(response);
    }
    case 'http2': {
      const session = connectHttp2(url);
      const failed = once(session, 'close').then(() => Promise.reject(new Error(`${url} ended the connection`)));
      return Promise.race([
        askHttp2(session),
        failed.catch((error: unknown) => Promise.reject(error as Error)),
      ]).finally(() => session.destroy());
    }
    case 'tcp':
      return echoOf(connectTcp(egressPort, '127.0.0.1'));
  }
}

async function askHttp2(session: ClientHttp2Session): Promise<string> {
  const head = { ':method': 'POST', ':path': '/identity', 'content-type': 'application/grpc', te: 'trailers' };
  const stream = session.request({ ...head, ...forged });
  return text(stream.end(Buffer.alloc(5)));
}

/** By ingress, when called by somebody else than egress. */
async function isServed(port: number, protocol: Protocol, shown: object): Promise<boolean> {
  const alpn = { http: ['http/1.1'], http2: ['h2'], tcp: [] }[protocol];
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: alpn, ...shown });
  switch (protocol) {
    case 'http': {
      socket.write('GET / HTTP/1.1\r\nhost: prices\r\nconnection: close\r\n\r\n');
      return /^HTTP\/1\.1 [123]/.test(await firstBytes(socket));
    }
    case 'http2': {
      const session = connectHttp2('https://prices', { createConnection: () => socket });
      const status = new Promise<number>((resolve) => {
        session.on('error', () => resolve(0)).on('close', () => resolve(0));
        const stream = session.request({ ':method': 'POST', ':path': '/', 'content-type': 'application/grpc' });
        stream.on('error', () => resolve(0)).on('close', () => resolve(0));
        // gRPC tells refusals in a header of its own, with status 200
        stream.on('response', (head) => resolve('grpc-status' in head ? 0 : (head[':status'] ?? 0)));
        stream.end(Buffer.alloc(5));
      });
      return (await status.finally(() => session.destroy())) === 200;
    }
    case 'tcp':
      return (await echoOf(socket)) === 'ping';
  }
}

function echoOf(socket: Socket): Promise<string> {
  socket.write('ping');
  return firstBytes(socket);
}

/** Empty: the connection ended or nothing came for a while. */
async function firstBytes(socket: Socket): Promise<string> {
  const first = new Promise<string>((resolve) => {
    socket.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1')));
    socket.on('error', () => resolve('')).on('close', () => resolve(''));
  });
  const nothing = systemClock.sleep(silentAfterMs).then(() => '');
  return Promise.race([first, nothing]).finally(() => socket.destroy());
}
