import { connect, type DetailedPeerCertificate } from 'node:tls';
import type { Clock } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';

const deadlineMs = 5_000;
const maxChain = 8;

/** The certificates, leaf first and without a root, that a TLS server presents to a stranger. Trusts nothing of it. */
export function presentedChain(server: { host: string; port: number }, clock: Clock): Promise<readonly Buffer[]> {
  const name = `${server.host}:${server.port}`;
  return new Promise((resolve, reject) => {
    const socket = connect({ ...server, rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] });
    const deadline = clock.timer(deadlineMs, () => socket.destroy(new Error(`no handshake in ${deadlineMs} ms`)));
    socket.once('secureConnect', () => {
      resolve(chainFrom(socket.getPeerCertificate(true)));
      socket.destroy();
    });
    socket.on('error', (cause) => {
      reject(
        new Fault('NO_CERTIFICATE', `${name} shows no certificate`, { cause, hint: 'does a TLS server listen there?' }),
      );
    });
    socket.once('close', () => deadline.cancel());
  });
}

function chainFrom(leaf: DetailedPeerCertificate): readonly Buffer[] {
  const chain: Buffer[] = [];
  let at: DetailedPeerCertificate | undefined = leaf;
  while (at?.raw !== undefined && chain.length < maxChain) {
    chain.push(at.raw);
    at = at.issuerCertificate === at ? undefined : at.issuerCertificate;
  }
  return chain;
}
