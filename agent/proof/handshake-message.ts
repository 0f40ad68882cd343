import { ok, refuse, type Result } from '#runtime/result.ts';

/** Types of TLS handshake messages (RFC 8446, section 4; RFC 9261, section 4). */
export const messageTypes = {
  certificate: 11,
  certificateRequest: 13,
  certificateVerify: 15,
  clientCertificateRequest: 17,
  finished: 20,
} as const;

/** Type and 24-bit length. */
const messageHeaderBytes = 4;

/** One message as it is on the wire, with its header: transcripts are made of it. */
export interface HandshakeMessage {
  readonly type: number;
  readonly whole: Buffer;
  /** A view on `whole`. */
  readonly body: Buffer;
}

export function handshakeMessage(type: number, body: Buffer): HandshakeMessage {
  const whole = Buffer.allocUnsafe(messageHeaderBytes + body.length);
  whole.writeUInt8(type, 0);
  whole.writeUIntBE(body.length, 1, 3);
  body.copy(whole, messageHeaderBytes);
  return { type, whole, body: whole.subarray(messageHeaderBytes) };
}

export type MessageProblem = 'unexpected-message' | 'message-too-long';

/** Longest bodies, bytes. A chain longer than 64 KiB is nobody's; everything else is small by its nature. */
const maxBodyBytes: ReadonlyMap<number, number> = new Map([
  [messageTypes.certificate, 65_536],
  [messageTypes.certificateRequest, 1_024],
  [messageTypes.certificateVerify, 1_032],
  [messageTypes.clientCertificateRequest, 1_024],
  [messageTypes.finished, 64],
]);

/** Room for a message that begins; it doubles as bytes really come, so that a mere header takes little memory. */
const firstRoomBytes = 4_096;

/**
 * Cuts a byte stream into handshake messages. Holds at most one unfinished message, and refuses one of another type or
 * of too many bytes by its header. After a refusal it must not be used.
 */
export class MessageReader {
  #held: Buffer = Buffer.alloc(0);
  #heldBytes = 0;

  /** The messages that `bytes` completed, as copies. */
  read(bytes: Buffer): Result<readonly HandshakeMessage[], MessageProblem> {
    const messages: HandshakeMessage[] = [];
    let rest = bytes;
    while (rest.length > 0) {
      const wanted = this.#wantedBytes();
      const taken = rest.subarray(0, wanted - this.#heldBytes);
      this.#hold(taken, wanted);
      rest = rest.subarray(taken.length);
      if (this.#heldBytes < messageHeaderBytes) continue;
      const type = this.#held.readUInt8(0);
      const max = maxBodyBytes.get(type);
      if (max === undefined) return refuse('unexpected-message');
      if (this.#wantedBytes() > messageHeaderBytes + max) return refuse('message-too-long');
      if (this.#heldBytes < this.#wantedBytes()) continue;
      const whole = Buffer.from(this.#held.subarray(0, this.#heldBytes));
      messages.push({ type, whole, body: whole.subarray(messageHeaderBytes) });
      this.#held = Buffer.alloc(0);
      this.#heldBytes = 0;
    }
    return ok(messages);
  }

  /** Of the message that is being read, as far as is known: its header at first. */
  #wantedBytes(): number {
    return this.#heldBytes < messageHeaderBytes ? messageHeaderBytes : messageHeaderBytes + this.#held.readUIntBE(1, 3);
  }

  #hold(bytes: Buffer, wanted: number): void {
    const end = this.#heldBytes + bytes.length;
    if (end > this.#held.length) {
      const room = Math.min(Math.max(end, this.#held.length * 2, firstRoomBytes), Math.max(wanted, firstRoomBytes));
      const held = Buffer.allocUnsafe(room);
      this.#held.copy(held, 0, 0, this.#heldBytes);
      this.#held = held;
    }
    bytes.copy(this.#held, this.#heldBytes);
    this.#heldBytes = end;
  }
}
