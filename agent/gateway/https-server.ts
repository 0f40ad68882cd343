import { constants } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { createHandshakes, handshakeCeilings } from '#agent/inbound/handshakes.ts';
import { handshakeDeadlineMs } from '#agent/tls/contexts.ts';
import { turnAway } from '#agent/turn-away.ts';
import { clientAddress } from '#agent/client-key.ts';
import type { GatewayParts } from './gateway-parts.ts';
import type { ServerPair } from './server-certificate.ts';

export interface HttpsServer {
  /** To be told to listen. */
  readonly server: Server;
  /** What new connections are shown; those that are open keep what they were shown. */
  show(pair: ServerPair): void;
}

/** Who gets the connections that have shaken hands. */
export interface SocketTaker {
  isFull(): boolean;
  take(socket: TLSSocket): void;
}

/** A caller that vanished without a word is noticed by TCP keep-alive. */
const keepAliveMs = 30_000;

const cipherSuites = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  ...['ECDSA', 'RSA'].flatMap((key) =>
    ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305'].map((suite) => `ECDHE-${key}-${suite}`),
  ),
].join(':');

/** TLS for browsers and other programs outside: 1.3 and 1.2 with forward secrecy and AEAD alone, ALPN h2 or http/1.1. */
export function createHttpsServer(parts: GatewayParts, taker: SocketTaker): HttpsServer {
  const handshakes = createHandshakes<undefined>(handshakeCeilings(parts.workers));
  const tls = createTlsServer({
    minVersion: 'TLSv1.2',
    ciphers: cipherSuites,
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    handshakeTimeout: handshakeDeadlineMs,
    ALPNCallback: ({ protocols }) => ['h2', 'http/1.1'].find((protocol) => protocols.includes(protocol)),
    allowHalfOpen: true,
  });
  const server = createServer(
    { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs },
    (socket) => {
      if (taker.isFull()) return turnAway(socket, parts.counters.gateway);
      handshakes.begun(socket);
      tls.emit('connection', socket);
    },
  );
  tls.on('secureConnection', (socket) => {
    handshakes.finished(socket);
    socket.on('error', () => undefined); // 'close' follows
    taker.take(socket);
  });
  tls.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    const reason = error.code ?? 'handshake-failed';
    parts.counters.handshakesRefused += 1;
    parts.emit({ event: 'gateway.handshake-refused', client: clientAddress(socket.remoteAddress), reason });
    socket.destroy(); // Node leaves it open, also after its own deadline
  });
  return { server, show: (pair) => tls.setSecureContext(contextOptions(pair)) };
}

/** `setSecureContext` forgets what it is not told again. */
function contextOptions({ cert, key }: ServerPair): TlsOptions {
  return {
    cert,
    key,
    minVersion: 'TLSv1.2',
    ciphers: cipherSuites,
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  };
}
