import { once } from 'node:events';
import { connect as connectHttp2, createSecureServer, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import { deriveAuthenticatorKeys, type AuthenticatorKeys, type TlsRole } from '#agent/proof/authenticator-keys.ts';
import { MessageReader, type HandshakeMessage } from '#agent/proof/handshake-message.ts';
import { buildAuthenticator } from './authenticator-recipe.ts';
import type { TestAuthority, TestCertificate } from './test-ca.ts';

const reProof = { path: '/eastwest.v1/re-proof', type: 'application/tls-exported-authenticator' };

/** What a peer of our own making does when it is asked for a proof: what it sends, and when, is its own affair. */
export interface Rogue {
  /** Each request of the agent, as it comes, and how to send what is made for it. */
  onAsked(request: Buffer, tell: RogueMouth): void;
}

export interface RogueMouth {
  /** A good authenticator for the request, of any certificate. */
  proof(certificate: TestCertificate): Buffer;
  send(bytes: Buffer): void;
}

export interface RogueSession {
  /** Bytes of the agent's app and of the rogue's, both ways, over one CONNECT stream. */
  readonly stream: Duplex;
  /** When the stream was over, ms since 1970. */
  readonly endedAtMs: Promise<number>;
  close(): void;
}

interface Credentials {
  readonly ca: TestAuthority;
  readonly certificate: TestCertificate;
}

/** Dials an agent's inbound port, opens a stream to `authority`, and offers re-proof. */
export async function dialAsRogue(
  to: { readonly port: number; readonly authority: string },
  { ca, certificate }: Credentials,
  rogue: Rogue,
): Promise<RogueSession> {
  const socket = connect({
    host: '127.0.0.1',
    port: to.port,
    cert: certificate.chainPem,
    key: certificate.keyPem,
    ca: ca.bundlePem,
    ALPNProtocols: ['h2'],
    checkServerIdentity: () => undefined,
  });
  await once(socket, 'secureConnect');
  const keys = keysOf(socket);
  const session = connectHttp2('https://agent', { createConnection: () => socket });
  session.on('error', () => undefined);
  const stream = session.request({ ':method': 'CONNECT', ':authority': to.authority }, { endStream: false });
  const endedAtMs = endOf(stream);
  const control = session.request(
    { ':method': 'POST', ':path': reProof.path, 'content-type': reProof.type },
    { endStream: false },
  );
  speak(control, { keys, role: 'client' }, rogue);
  const [headers] = (await once(stream, 'response')) as [{ ':status': number }];
  if (headers[':status'] !== 200) throw new Error(`CONNECT was answered with ${headers[':status']}`);
  return { stream, endedAtMs, close: () => session.destroy() };
}

/** Serves as a peer's agent, where a port is kept for it: CONNECT streams echo, re-proof is the rogue's. */
export async function serveAsRogue(
  port: number,
  { ca, certificate }: Credentials,
  rogue: Rogue,
): Promise<AsyncDisposable> {
  const server = createSecureServer({
    cert: certificate.chainPem,
    key: certificate.keyPem,
    ca: ca.bundlePem,
    requestCert: true,
    minVersion: 'TLSv1.3',
    allowHTTP1: false,
  });
  const sockets: TLSSocket[] = [];
  server.prependListener('secureConnection', (socket: TLSSocket) => sockets.push(socket)); // before its session is made
  server.on('session', (session) => {
    const keys = keysOf(sockets.at(-1)!);
    session.on('error', () => undefined);
    session.on('stream', (stream: ServerHttp2Stream, headers) => {
      stream.on('error', () => undefined);
      if (headers[':method'] === 'CONNECT') {
        stream.respond({ ':status': 200 });
        stream.pipe(stream);
      } else if (headers[':path'] === reProof.path) {
        stream.respond({ ':status': 200, 'content-type': reProof.type });
        speak(stream, { keys, role: 'server' }, rogue);
      } else stream.respond({ ':status': 404 }, { endStream: true });
    });
  });
  server.on('tlsClientError', () => undefined);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function speak(control: Duplex, { keys, role }: { keys: AuthenticatorKeys; role: TlsRole }, rogue: Rogue): void {
  const reader = new MessageReader();
  control.on('error', () => undefined);
  control.on('data', (bytes: Buffer) => {
    const messages = reader.read(bytes);
    if (!messages.ok) throw new Error(messages.reason);
    for (const message of messages.value) if (isRequest(message)) ask(message.whole);
  });
  const ask = (request: Buffer): void =>
    rogue.onAsked(request, {
      proof: ({ chainDer, keys: { privateKey } }) =>
        Buffer.concat(buildAuthenticator({ keys, sender: role, request, chainDer, privateKey })),
      send: (bytes) => void control.write(bytes),
    });
}

function isRequest({ type }: HandshakeMessage): boolean {
  return type === 13 || type === 17;
}

function keysOf(socket: TLSSocket): AuthenticatorKeys {
  const keys = deriveAuthenticatorKeys(socket);
  if (!keys.ok) throw new Error(keys.reason);
  return keys.value;
}

function endOf(stream: Duplex): Promise<number> {
  stream.on('error', () => undefined);
  stream.resume();
  return new Promise((resolve) => stream.once('close', () => resolve(Date.now())));
}
