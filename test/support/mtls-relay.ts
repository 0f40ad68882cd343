import { createServer, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { listening } from './listening.ts';
import type { TestAuthority, TestCertificate } from './test-ca.ts';

export interface MtlsRelay extends AsyncDisposable {
  /** Plain TCP. */
  readonly port: number;
}

interface RelayOptions {
  readonly ca: TestAuthority;
  readonly certificate: TestCertificate;
  readonly alpn: readonly string[];
  /** 127.0.0.1 when not given. */
  readonly host?: string;
}

/** For programs that have no client certificate: what they say at `port` goes over mTLS to `to`, one connection each. */
export async function startMtlsRelay(to: number, own: RelayOptions): Promise<MtlsRelay> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (plain) => {
    const secured = connect({
      ...{ host: own.host ?? '127.0.0.1', port: to, ALPNProtocols: [...own.alpn], allowHalfOpen: true },
      ...{ cert: own.certificate.chainPem, key: own.certificate.keyPem, ca: own.ca.bundlePem },
      checkServerIdentity: () => undefined,
    });
    for (const [one, other] of [
      [plain, secured],
      [secured, plain],
    ] as const) {
      open.add(one);
      one.on('error', () => undefined); // 'close' follows
      one.once('close', () => {
        open.delete(one);
        other.destroySoon();
      });
      one.pipe(other);
    }
  });
  return listening(server, () => open.forEach((socket) => socket.destroy()));
}
