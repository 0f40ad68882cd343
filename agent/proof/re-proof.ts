import { deafHandler } from '#agent/h2/deaf-handler.ts';
import { h2Error } from '#agent/h2/errors.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import { portHeader } from '#agent/http/port-header.ts';
import type { H2Session, H2Stream, H2StreamHandler } from '#agent/h2/types.ts';
import { ProofExchange, type ProofParts } from './proof-exchange.ts';

/** Where agents meet to prove their certificates anew, on every session between them. No app's path. */
export const reProofPath = '/eastwest.v1/re-proof';

/** TLS handshake messages of RFC 9261, one after another, each with its own length in front. */
export const reProofContentType = 'application/tls-exported-authenticator';

/** What a session says of itself. `onFailed` must end it at once. */
export type ReProofParts = Omit<ProofParts, 'role' | 'send'>;

/** Re-proof on one session, over a stream of its own that counts as no app's. */
export interface ReProof {
  /** Both ends speak it. Where they do not, the session ends with the first of its certificates. */
  readonly isRunning: boolean;
  /** Nothing of ours waits for window: whatever is sent from now on arrives after it. */
  readonly isSent: boolean;
  /** No proof from now on. Ends the stream in order, so that a session that was drained can close. */
  end(): void;
}

export interface ReProofServer extends ReProof {
  /**
   * Takes a new stream if its head asks for re-proof, and is its handler from then on; false: it is somebody else's.
   * A session has one such stream; another one, or a malformed offer, is answered with a refusal.
   */
  accept(stream: H2Stream, head: readonly HeaderField[], end: boolean): boolean;
}

/** The dialling end offers re-proof. A peer that does not know it refuses, and nothing else changes. */
export function offerReProof(session: H2Session, authority: string, parts: ReProofParts): ReProof {
  const control = new ControlStream((send) => new ProofExchange({ ...parts, role: 'client', send }));
  const head = [
    field(':method', 'POST'),
    field(':scheme', 'https'),
    field(':authority', authority),
    field(':path', reProofPath),
    contentType,
  ];
  const stream = session.request(head, false, control);
  if (stream === undefined) control.end();
  else control.stream = stream;
  return control;
}

/** The accepting end. */
export function createReProofServer(parts: ReProofParts): ReProofServer {
  const control = new ControlStream((send) => new ProofExchange({ ...parts, role: 'server', send }));
  return {
    get isRunning() {
      return control.isRunning;
    },
    get isSent() {
      return control.isSent;
    },
    accept(stream, head, end) {
      const isOfApp = valueOf(head, portHeader) !== undefined; // agents put it on what their apps send, whatever its path
      if (isOfApp || valueOf(head, ':path') !== reProofPath) return false;
      const status = offerStatus(head, end, control);
      if (status === '200') {
        control.stream = stream;
        stream.handler = control;
        stream.headers([field(':status', status), contentType], false);
        control.start();
      } else {
        stream.handler = deafHandler;
        stream.headers([field(':status', status)], true);
      }
      return true;
    },
    end: () => control.end(),
  };
}

/** The stream of one session's re-proof. Once it is over there is no other: the session then ends by its certificates. */
class ControlStream implements H2StreamHandler, ReProof {
  stream: H2Stream | undefined;
  readonly #create: (send: (bytes: Buffer) => void) => ProofExchange;
  #exchange: ProofExchange | undefined;
  #state: 'offered' | 'running' | 'over' = 'offered';

  constructor(create: (send: (bytes: Buffer) => void) => ProofExchange) {
    this.#create = create;
  }

  get isOffered(): boolean {
    return this.#state === 'offered' && this.stream === undefined;
  }
  get isRunning(): boolean {
    return this.#state === 'running';
  }
  get isSent(): boolean {
    return this.stream === undefined || this.stream.unsentBytes === 0;
  }

  start(): void {
    if (this.#state !== 'offered') return;
    this.#state = 'running';
    this.#exchange = this.#create((bytes) => void this.stream?.data(bytes)); // bounded: a request and an answer at a time
    this.#exchange.begin();
  }

  end(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#exchange?.close();
    this.stream?.end();
  }

  onHeaders(fields: readonly HeaderField[], end: boolean): void {
    const status = valueOf(fields, ':status') ?? '';
    if (status.startsWith('1')) return;
    if (status === '200' && valueOf(fields, contentType.name) === reProofContentType && !end) this.start();
    else this.#abandon();
  }
  onData(bytes: Buffer): void {
    this.#exchange?.receive(bytes);
  }
  onEnd(): void {
    this.end();
  }
  onReset(): void {
    this.end();
  }
  onDrain(): void {
    // nothing waits: both messages were taken
  }

  /** A refusal, or trailers where messages belong. */
  #abandon(): void {
    const { stream } = this;
    this.stream = undefined;
    this.end();
    stream?.reset(h2Error.cancel);
  }
}

const contentType = field('content-type', reProofContentType);

function offerStatus(head: readonly HeaderField[], end: boolean, control: ControlStream): string {
  if (valueOf(head, ':method') !== 'POST') return '405';
  if (valueOf(head, contentType.name) !== reProofContentType) return '415';
  if (end) return '400';
  return control.isOffered ? '200' : '409';
}

function field(name: string, value: string): HeaderField {
  return { name, rawName: name, value };
}

function valueOf(fields: readonly HeaderField[], name: string): string | undefined {
  return fields.find((each) => each.name === name)?.value;
}
