import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { createH2Session } from '#agent/h2/session.ts';
import { defaultH2Times } from '#agent/h2/session-options.ts';
import type { H2Session, H2Stream, H2StreamHandler } from '#agent/h2/types.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import { createIdentityStore, type IdentityStore } from '#agent/identity/store.ts';
import { TlsPipe } from '#agent/pipe/tls-pipe.ts';
import { deriveAuthenticatorKeys, type AuthenticatorKeys, type TlsRole } from '#agent/proof/authenticator-keys.ts';
import { createReProofServer, offerReProof, type ReProof, type ReProofParts } from '#agent/proof/re-proof.ts';
import { clientTlsOptions, serverTlsOptions } from '#agent/tls/contexts.ts';
import { verifyPeer, type VerifiedPeer } from '#agent/tls/verified-peer.ts';
import { ProofLife } from '#agent/tunnel/proof-life.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import { createTestCa, type TestAuthority, type TestCertificate } from './test-ca.ts';
import { identityOf } from './test-identity.ts';

/** One end of a real mTLS session of ours, which ends when its certificates do. */
export interface SessionEnd {
  readonly identity: IdentityStore;
  readonly keys: AuthenticatorKeys;
  /** Who the other end has proved to be the last time. */
  readonly peer: VerifiedPeer;
  /** In order: `proved SERIAL`, `failed REASON`, `expired`, `closed`. */
  readonly log: string[];
  readonly reProof: ReProof;
  readonly h2: H2Session;
  rotate(lifeMs: number): TestCertificate;
  /** Resolves when the log has such a line. */
  logged(line: string): Promise<void>;
}

export interface ProofSession extends Disposable {
  readonly ca: TestAuthority;
  /** Of both ends' certificates; the wire goes by the real one. */
  readonly clock: FakeClock;
  readonly client: SessionEnd;
  readonly server: SessionEnd;
  /** An app's stream that echoes. */
  readonly stream: EchoStream;
}

export interface EchoStream {
  /** Resolves when the text has come back; rejects when the stream breaks. */
  say(text: string): Promise<void>;
  end(): void;
}

export interface ProofSessionOptions {
  readonly lifeMs: number;
  /** `none`: the test's own peer offers on this session what it likes. */
  readonly offer?: 're-proof' | 'none';
}

const nobody: H2StreamHandler = { onHeaders() {}, onData() {}, onEnd() {}, onReset() {}, onDrain() {} };
const settings = {
  windowBytes: 1_048_576,
  sessionWindowBytes: 16_777_216,
  maxStreams: 100,
  maxHeaderListBytes: 16_384,
  maxHeaders: 100,
  connect: 'allow',
  unreadCeilingBytes: 16_777_216,
} as const;

/** Two ends, `orders` and `prices`, over TLS 1.3 and our HTTP/2. */
export async function openProofSession({ lifeMs, offer = 're-proof' }: ProofSessionOptions): Promise<ProofSession> {
  const nowMs = Math.floor(Date.now() / 1000) * 1000;
  const ca = createTestCa({ nowMs });
  const clock = createFakeClock(nowMs);
  const stores = { client: createIdentityStore(), server: createIdentityStore() };
  const rotate = (role: TlsRole, life: number): TestCertificate => {
    const leaf = ca.leaf(role === 'client' ? 'orders' : 'prices', { notAfterMs: clock.now() + life });
    stores[role].replace(identityOf(leaf, { ca, nowMs: clock.now() }));
    return leaf;
  };
  rotate('client', lifeMs);
  rotate('server', lifeMs);
  const [ours, theirs, listener] = await openTls(stores);
  const stage = { clock, bundle: ca.bundle, stores, rotate };
  const server = openEnd('server', theirs, stage);
  const client = openEnd('client', ours, stage);
  await client.ready;
  if (offer === 're-proof') client.offer();
  return {
    ca,
    clock,
    client,
    server,
    stream: echoStream(client.h2),
    [Symbol.dispose]() {
      ours.destroy();
      theirs.destroy();
      listener.close();
    },
  };
}

async function openTls(stores: Readonly<Record<TlsRole, IdentityStore>>) {
  const server = createServer({ ...serverTlsOptions(stores.server.current()!), ALPNProtocols: ['h2'] });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'secureConnection');
  const client = connect({
    ...clientTlsOptions(stores.client.current()!),
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    ALPNProtocols: ['h2'],
  });
  const [, [theirs]] = (await Promise.all([once(client, 'secureConnect'), accepted])) as [unknown, [TLSSocket]];
  return [client, theirs, server] as const;
}

interface Stage {
  readonly clock: FakeClock;
  readonly bundle: TestAuthority['bundle'];
  readonly stores: Readonly<Record<TlsRole, IdentityStore>>;
  readonly rotate: (role: TlsRole, lifeMs: number) => TestCertificate;
}

function openEnd(role: TlsRole, socket: TLSSocket, { clock, bundle, stores, rotate }: Stage) {
  const identity = stores[role];
  const keys = deriveAuthenticatorKeys(socket);
  const verified = verifyPeer(socket, { bundle, nowMs: clock.now() });
  if (!keys.ok || !verified.ok) throw new Error('no session');
  let peer = verified.value;
  const log: string[] = [];
  const watchers = new Set<() => void>();
  const say = (line: string): void => {
    log.push(line);
    for (const watcher of [...watchers]) watcher();
  };
  const shown = identity.current()!.svid;
  const proofs = { ownNotAfterMs: shown.notAfterMs, peerNotAfterMs: peer.svid.notAfterMs };
  const life = new ProofLife(proofs, clock, {
    onAging: () => undefined,
    onClosing: () => undefined,
    onExpired() {
      say('expired');
      h2.destroy(0);
    },
  });
  const parts: ReProofParts = {
    keys: keys.value,
    identity,
    shown,
    peer,
    clock,
    randomBytes,
    onProved(proved) {
      peer = proved;
      life.extend({ peerNotAfterMs: proved.svid.notAfterMs });
      say(`proved ${proved.svid.serialHex}`);
    },
    onShown: ({ notAfterMs }) => life.extend({ ownNotAfterMs: notAfterMs }),
    onFailed(reason) {
      say(`failed ${reason}`);
      h2.destroy(0);
    },
  };
  const reProofServer = createReProofServer(parts);
  let reProof: ReProof = reProofServer;
  const readiness = Promise.withResolvers<void>();
  const h2 = createH2Session({
    role,
    pipe: new TlsPipe(socket),
    settings,
    times: defaultH2Times,
    clock: systemClock,
    handler: {
      onStream(stream) {
        stream.handler = {
          ...nobody,
          onHeaders: (head, end) => void (reProofServer.accept(stream, head, end) || echo(stream)),
        };
      },
      onReady: () => readiness.resolve(),
      onGoaway: () => undefined,
      onClosed() {
        life.stop();
        say('closed');
      },
    },
  });
  return {
    identity,
    keys: keys.value,
    get peer() {
      return peer;
    },
    log,
    get reProof() {
      return reProof;
    },
    h2,
    ready: readiness.promise,
    offer: () => (reProof = offerReProof(h2, 'prices:15008', parts)),
    rotate: (lifeMs: number) => rotate(role, lifeMs),
    logged: (line: string) =>
      new Promise<void>((resolve) => {
        const check = (): void => {
          if (!log.includes(line)) return;
          watchers.delete(check);
          resolve();
        };
        watchers.add(check);
        check();
      }),
  };
}

function echo(stream: H2Stream): void {
  stream.handler = {
    ...nobody,
    onData: (bytes) => void stream.data(bytes),
    onEnd: () => stream.end(),
  };
  stream.headers([field(':status', '200')], false);
}

function echoStream(h2: H2Session): EchoStream {
  let heard = '';
  let waiting: { text: string; resolve(): void; reject(error: Error): void } | undefined;
  let broken = false;
  const stream = openStream(h2, '/echo', {
    ...nobody,
    onData(bytes) {
      heard += bytes.toString();
      if (waiting && heard.endsWith(waiting.text)) waiting.resolve();
    },
    onReset() {
      broken = true;
      waiting?.reject(new Error('the stream broke'));
    },
  });
  return {
    say: (text) =>
      new Promise((resolve, reject) => {
        if (broken) return reject(new Error('the stream broke'));
        waiting = { text, resolve, reject };
        stream.data(Buffer.from(text));
      }),
    end: () => stream.end(),
  };
}

/** Opens a POST stream with the head's other fields. */
export function openStream(
  h2: H2Session,
  path: string,
  handler: H2StreamHandler,
  more: readonly HeaderField[] = [],
): H2Stream {
  const head = [
    field(':method', 'POST'),
    field(':scheme', 'https'),
    field(':authority', 'prices:7002'),
    field(':path', path),
  ];
  const stream = h2.request([...head, ...more], false, handler);
  if (stream === undefined) throw new Error('no stream can be opened');
  return stream;
}

export function field(name: string, value: string): HeaderField {
  return { name, rawName: name, value };
}
