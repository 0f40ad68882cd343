import { noBytes } from '#agent/pipe/no-bytes.ts';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { IdentitySnapshot } from '#agent/identity/store.ts';
import { guardedServer } from '#agent/pipe/guarded-tls.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { TlsPipe } from '#agent/pipe/tls-pipe.ts';
import { alpnOffer, handshakeRecord } from '#agent/tls/client-hello.ts';
import { handshakeDeadlineMs, serverTlsOptions } from '#agent/tls/contexts.ts';
import { verifyPeer, type VerifiedPeer } from '#agent/tls/verified-peer.ts';
import { turnAway } from '#agent/turn-away.ts';
import type { Handshakes } from './handshakes.ts';
import type { InboundParts } from './inbound-parts.ts';
import { linkFacts, type LinkFacts } from './link-facts.ts';

/** A caller that vanished without a word is noticed by TCP keep-alive; without it its streams would stay for good. */
const keepAliveMs = 30_000;

/** A caller of a port that also takes plaintext, and in which the server speaks first, is silent for so long; a ClientHello may come late. */
const silentMs = 1_000;

/** A TLS connection whose other end has proved itself. */
export interface AcceptedLink {
  /** For its ALPN, its exporter and its 'close'; its bytes are the pipe's. */
  readonly socket: TLSSocket;
  readonly pipe: Pipe;
  readonly peer: VerifiedPeer;
  readonly facts: LinkFacts;
  /** What we showed in its handshake. */
  readonly shown: IdentitySnapshot;
}

/** Who gets connections whose first byte is none of TLS. */
export interface PlaintextTaker {
  /** Whether a caller that says nothing for a while waits for the app to speak first. TLS clients speak first. */
  readonly takesSilent: boolean;
  /** `early`: what it said; it may have ended its side already. */
  take(socket: Socket, early: Buffer): void;
}

/** Who gets the connections of several such servers, and how many more these may let in together. */
export interface LinkTaker {
  readonly handshakes: Handshakes<IdentitySnapshot>;
  /** Undefined: nobody is looked for who does not speak TLS. */
  readonly plaintext: PlaintextTaker | undefined;
  isFull(): boolean;
  take(accepted: AcceptedLink): void;
}

export interface MtlsServer {
  /** To be told to listen. */
  readonly tcp: Server;
  /** Ends listening, and follows our identity no more. */
  close(): void;
}

/**
 * Hands over connections whose other end has proved itself; counts and logs the others. A caller without ALPN may bring
 * a protocol in which the end of the stream means something: its TLS runs over a wire that tells a cut from an end (A76).
 */
export async function createMtlsServer(parts: InboundParts, taker: LinkTaker): Promise<MtlsServer> {
  const first = await parts.identity.first(new AbortController().signal);
  return new Acceptor(parts, first, taker);
}

class Acceptor implements MtlsServer {
  readonly tcp: Server;
  readonly #parts: InboundParts;
  readonly #taker: LinkTaker;
  readonly #handshakes: Handshakes<IdentitySnapshot>;
  readonly #tls;
  readonly #unsubscribe: () => void;
  #identity: IdentitySnapshot;

  constructor(parts: InboundParts, first: IdentitySnapshot, taker: LinkTaker) {
    this.#parts = parts;
    this.#identity = parts.identity.current() ?? first;
    this.#taker = taker;
    this.#handshakes = taker.handshakes;
    this.#tls = createTlsServer({
      ...serverTlsOptions(this.#identity),
      allowHalfOpen: true,
      ALPNCallback: ({ protocols }) => ['h2', 'http/1.1'].find((protocol) => protocols.includes(protocol)),
    });
    this.#tls.on('secureConnection', (socket) => {
      const shown = this.#handshakes.finished(socket);
      socket.on('error', () => undefined); // 'close' follows
      this.#judge(socket, { raw: socket, shown, toPipe: () => new TlsPipe(socket) });
    });
    this.#tls.on('tlsClientError', (error, socket) => this.#refuse(socket, handshakeReason(error, socket)));
    this.tcp = createTcpServer(
      { noDelay: true, allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs },
      (socket) => this.#meet(socket),
    );
    this.#unsubscribe = parts.identity.subscribe((snapshot) => {
      this.#identity = snapshot;
      this.#tls.setSecureContext(serverTlsOptions(snapshot));
    });
  }

  close(): void {
    this.#unsubscribe();
    this.tcp.close();
  }

  /** Waits for what the caller says first. */
  #meet(socket: Socket): void {
    if (this.#taker.isFull()) return turnAway(socket, this.#parts.counters.inbound);
    this.#handshakes.begun(socket);
    let early: Buffer = noBytes;
    const { plaintext } = this.#taker;
    const leave = (): void => {
      overdue.cancel();
      silence?.cancel();
      socket.off('readable', read).off('end', ended).off('close', gone).off('error', failed);
    };
    const read = (): void => {
      const bytes = socket.read() as Buffer | null;
      if (bytes === null) return;
      early = early.length === 0 ? bytes : Buffer.concat([early, bytes]);
      if (plaintext !== undefined && early[0] !== handshakeRecord) return inClear(plaintext);
      const offer = alpnOffer(early);
      if (offer === 'more') return;
      leave();
      socket.unshift(early);
      this.#handshakes.shows(socket, this.#identity);
      if (offer === 'some') this.#tls.emit('connection', socket);
      else this.#shakeGuarded(socket);
    };
    const inClear = (taker: PlaintextTaker): void => {
      leave();
      this.#handshakes.finished(socket);
      taker.take(socket, early);
    };
    const silence = plaintext && this.#parts.clock.timer(silentMs, () => silent(() => undefined));
    const silent = (otherwise: () => void): void => {
      if (early.length === 0 && plaintext?.takesSilent === true) inClear(plaintext);
      else otherwise();
    };
    let reason = 'ECONNRESET';
    const failed = (error: NodeJS.ErrnoException): void => void (reason = error.code ?? reason);
    const gone = (): void => {
      leave();
      this.#refuse(socket, reason);
    };
    const overdue = this.#parts.clock.timer(handshakeDeadlineMs, () => {
      reason = 'ERR_TLS_HANDSHAKE_TIMEOUT';
      socket.destroy();
    });
    const ended = (): void => silent(() => socket.destroy());
    socket.on('readable', read).once('end', ended).once('close', gone).once('error', failed);
  }

  #shakeGuarded(raw: Socket): void {
    const { socket, toPipe } = guardedServer(raw, serverTlsOptions(this.#identity));
    let reason = 'ECONNRESET';
    const overdue = this.#parts.clock.timer(handshakeDeadlineMs, () => {
      reason = 'ERR_TLS_HANDSHAKE_TIMEOUT';
      socket.destroy();
    });
    const gone = (): void => {
      overdue.cancel();
      this.#refuse(raw, reason);
    };
    socket.on('error', (error: NodeJS.ErrnoException) => {
      reason = error.code ?? reason;
      socket.destroy();
    });
    socket.once('close', gone);
    socket.once('secure', () => {
      overdue.cancel();
      socket.off('close', gone);
      this.#judge(socket, { raw, shown: this.#handshakes.finished(raw), toPipe });
    });
  }

  #judge(socket: TLSSocket, { raw, shown, toPipe }: Shaken): void {
    const { identity, clock } = this.#parts;
    const bundle = identity.current()?.bundle;
    const verified = bundle && verifyPeer(socket, { bundle, nowMs: clock.now() });
    if (!verified?.ok) return this.#refuse(socket, verified ? verified.reason : 'no-identity');
    const facts = linkFacts(raw, socket.getProtocol() ?? undefined);
    if (shown === undefined || facts === undefined) return this.#refuse(socket, 'ECONNRESET'); // its TCP connection is gone already
    if (this.#taker.isFull()) return turnAway(socket, this.#parts.counters.inbound); // others were quicker
    this.#taker.take({ socket, pipe: toPipe(), peer: verified.value, facts, shown });
  }

  #refuse(socket: Socket, reason: string): void {
    this.#parts.counters.handshakesRefused += 1;
    this.#parts.emit({ event: 'inbound.handshake-refused', from: socket.remoteAddress ?? 'unknown', reason });
    socket.destroy(); // Node leaves it open, also after its own deadline
  }
}

interface Shaken {
  /** Who knows the TCP connection's ends: the TLS socket itself, unless it runs over a wire of ours. */
  readonly raw: Socket;
  readonly shown: IdentitySnapshot | undefined;
  readonly toPipe: () => Pipe;
}

/** OpenSSL's verdict on the caller's chain where there is one: Node reports that as a mere hang-up. */
function handshakeReason(error: Error & { code?: string }, socket: TLSSocket): string {
  const verdict: unknown = socket.authorizationError; // a code such as CERT_HAS_EXPIRED, whatever its type says
  return typeof verdict === 'string' ? verdict : (error.code ?? 'handshake-failed');
}
