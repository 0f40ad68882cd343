import type { IdentitySnapshot, IdentityStore } from '#agent/identity/store.ts';
import type { VerifiedPeer } from '#agent/tls/verified-peer.ts';
import type { X509Svid } from '#certs/svid.ts';
import type { Clock, Timer } from '#runtime/clock.ts';
import type { AuthenticatorKeys, TlsRole } from './authenticator-keys.ts';
import {
  readAuthenticatorRequest,
  requestContextBytes,
  requestType,
  writeAuthenticatorRequest,
  type AuthenticatorRequest,
} from './authenticator-request.ts';
import { makeAuthenticator, verifyAuthenticator, type AuthenticatorProblem } from './exported-authenticator.ts';
import { MessageReader, messageTypes, type HandshakeMessage, type MessageProblem } from './handshake-message.ts';

/** Why a peer's proof is none. Each ends the session at once. */
export type ProofProblem =
  | AuthenticatorProblem
  | MessageProblem
  | 'bad-request'
  /** An authenticator while none was asked for: each request is good for one. */
  | 'not-asked'
  /** RFC 9261, section 6: the peer says in so many words that it will not. */
  | 'empty-authenticator';

export interface ProofParts {
  readonly role: TlsRole;
  readonly keys: AuthenticatorKeys;
  readonly identity: IdentityStore;
  /** What we showed in the handshake. */
  readonly shown: Pick<X509Svid, 'spiffeId' | 'thumbprint'>;
  /** Who the handshake proved the other end to be; it never becomes somebody else. */
  readonly peer: VerifiedPeer;
  readonly clock: Clock;
  readonly randomBytes: (size: number) => Buffer;
  readonly send: (bytes: Buffer) => void;
  /** The peer has proved a further certificate of the same SPIFFE ID: from now on the session is authenticated by it. */
  readonly onProved: (peer: VerifiedPeer) => void;
  /** We have shown ours. */
  readonly onShown: (svid: X509Svid) => void;
  /** Once; the exchange is over then, and so must the session be. */
  readonly onFailed: (reason: ProofProblem) => void;
}

/** Between two of our requests: a peer cannot keep us busy with checking proofs. */
const askAgainMs = 200;

/**
 * Both ends of a session prove their certificates anew, by messages of RFC 9261 in both directions. Each end keeps one
 * request with the other, which answers as soon as it has a newer SVID than the one last shown on this session.
 */
export class ProofExchange {
  readonly #parts: ProofParts;
  readonly #reader = new MessageReader();
  readonly #peerRole: TlsRole;
  readonly #unsubscribe: () => void;
  #shownThumbprint: string;
  /** Ours, that the peer has not answered. */
  #asking: AuthenticatorRequest | undefined;
  /** The peer's, that we have not answered. */
  #asked: AuthenticatorRequest | undefined;
  #lastContext: Buffer | undefined;
  /** The messages of an authenticator so far. */
  #received: HandshakeMessage[] = [];
  #pause: Timer | undefined;
  #isOver = false;

  constructor(parts: ProofParts) {
    this.#parts = parts;
    this.#peerRole = parts.role === 'client' ? 'server' : 'client';
    this.#shownThumbprint = parts.shown.thumbprint;
    this.#unsubscribe = parts.identity.subscribe(() => this.#answer());
  }

  /** Sends the first request. */
  begin(): void {
    if (!this.#isOver) this.#ask();
  }

  /** Takes what the peer sent, in pieces of any size. */
  receive(bytes: Buffer): void {
    if (this.#isOver) return;
    const messages = this.#reader.read(bytes);
    if (!messages.ok) return this.#fail(messages.reason);
    for (const message of messages.value) {
      const problem = this.#accept(message);
      if (problem !== undefined) return this.#fail(problem);
      if (this.#isOver) return;
    }
  }

  /** Nothing is sent or judged any more. */
  close(): void {
    this.#isOver = true;
    this.#unsubscribe();
    this.#pause?.cancel();
  }

  #accept(message: HandshakeMessage): ProofProblem | undefined {
    const before = this.#received.length;
    switch (message.type) {
      case requestType(this.#peerRole):
        return before === 0 ? this.#acceptRequest(message) : 'unexpected-message';
      case messageTypes.certificate:
        if (this.#asking === undefined) return 'not-asked';
        return before === 0 ? this.#hold(message) : 'unexpected-message';
      case messageTypes.certificateVerify:
        return before === 1 ? this.#hold(message) : 'unexpected-message';
      case messageTypes.finished:
        if (before === 2) return this.#judge(message);
        return before === 0 ? 'empty-authenticator' : 'unexpected-message';
      default:
        return 'unexpected-message'; // a request of our own type comes from nobody else
    }
  }

  #hold(message: HandshakeMessage): undefined {
    this.#received.push(message);
  }

  #acceptRequest(message: HandshakeMessage): ProofProblem | undefined {
    if (this.#asked !== undefined) return 'unexpected-message'; // one at a time
    const request = readAuthenticatorRequest(message, this.#peerRole);
    if (!request.ok) return request.reason;
    if (this.#lastContext?.equals(request.value.context)) return 'bad-request'; // unique on a connection (RFC 9261, section 4)
    this.#asked = request.value;
    this.#lastContext = request.value.context;
    this.#answer();
    return undefined;
  }

  #judge(finished: HandshakeMessage): ProofProblem | undefined {
    const { keys, identity, peer, clock, onProved } = this.#parts;
    const [certificate, certificateVerify] = this.#received;
    const request = this.#asking;
    const bundle = identity.current()?.bundle;
    if (!certificate || !certificateVerify || !request || !bundle) return 'not-asked';
    this.#asking = undefined; // used up, whatever comes out
    this.#received = [];
    const proved = verifyAuthenticator({ certificate, certificateVerify, finished }, request, {
      keys,
      role: this.#peerRole,
      bundle,
      nowMs: clock.now(),
      expected: peer.spiffeId,
    });
    if (!proved.ok) return proved.reason;
    onProved(proved.value);
    if (!this.#isOver) this.#pause = clock.timer(askAgainMs, () => this.#ask());
    return undefined;
  }

  #ask(): void {
    const { role, randomBytes, send } = this.#parts;
    this.#asking = writeAuthenticatorRequest(role, randomBytes(requestContextBytes));
    send(this.#asking.message.whole);
  }

  /** Answers the peer's request when there is something newer to show, under the name that this session knows. */
  #answer(): void {
    const request = this.#asked;
    const snapshot = this.#parts.identity.current();
    if (this.#isOver || !request || !snapshot || !this.#isNews(snapshot)) return;
    const { role, keys, send, onShown } = this.#parts;
    const { svid, privateKey } = snapshot;
    const made = makeAuthenticator(request, { chainDer: svid.chainDer, privateKey }, { keys, role });
    if (!made.ok) return; // the peer cannot check such a key: the session ends in time, and another handshake decides
    this.#asked = undefined;
    this.#shownThumbprint = svid.thumbprint;
    const { certificate, certificateVerify, finished } = made.value;
    send(Buffer.concat([certificate.whole, certificateVerify.whole, finished.whole]));
    onShown(svid);
  }

  #isNews({ svid }: IdentitySnapshot): boolean {
    const { shown, clock } = this.#parts;
    if (svid.thumbprint === this.#shownThumbprint || svid.spiffeId !== shown.spiffeId) return false;
    return clock.now() < svid.notAfterMs;
  }

  #fail(reason: ProofProblem): void {
    this.close();
    this.#parts.onFailed(reason);
  }
}
