/** As much of HTTP/2 (RFC 9113) as load generator and app need to exchange fixed headers and messages. */
export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export const frameType = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
} as const;

/** END_STREAM and ACK have the same value. */
export const flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8 } as const;

export const setting = { maxConcurrentStreams: 3, initialWindowSize: 4 } as const;
export const largestWindow = 2 ** 31 - 1;
/** Each connection's until it is said otherwise (RFC 9113, section 6.9.2). */
export const firstWindow = 65_535;

const headBytes = 9;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  /** Overwritten by what is read next. */
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(headBytes + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(streamId, 5);
  bytes.set(payload, headBytes);
  return bytes;
}

export function settingsFrame(values: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(values.length * 6);
  for (const [at, [id, value]] of values.entries()) {
    payload.writeUInt16BE(id, at * 6);
    payload.writeUInt32BE(value, at * 6 + 2);
  }
  return frame(frameType.settings, 0, 0, payload);
}

export function settingsIn(payload: Buffer): ReadonlyMap<number, number> {
  const settings = new Map<number, number>();
  for (let at = 0; at + 6 <= payload.length; at += 6)
    settings.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
  return settings;
}

export function windowUpdate(streamId: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frame(frameType.windowUpdate, 0, streamId, payload);
}

/** A gRPC message (length-prefixed, not compressed) of `bytes` bytes in all. */
export function grpcMessage(bytes: number): Buffer {
  const message = Buffer.alloc(bytes, 'm');
  message[0] = 0;
  message.writeUInt32BE(bytes - 5, 1);
  return message;
}

/** Header fields as literals that no table remembers (RFC 7541, section 6.2.2). */
export function headerBlock(fields: Readonly<Record<string, string>>): Buffer {
  const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')]);
  return Buffer.concat(
    Object.entries(fields).map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])),
  );
}

/** Cuts what arrives into frames. */
export class FrameReader {
  #rest: Buffer | undefined;
  #skip: number;

  /** `skip`: bytes before the first frame (a client's preface). */
  constructor(skip = 0) {
    this.#skip = skip;
  }

  take(bytes: Buffer, onFrame: (frame: Frame) => void): void {
    const input = this.#rest === undefined ? bytes : Buffer.concat([this.#rest, bytes]);
    this.#rest = undefined;
    let at = Math.min(this.#skip, input.length);
    this.#skip -= at;
    while (input.length - at >= headBytes) {
      const end = at + headBytes + input.readUIntBE(at, 3);
      if (end > input.length) break;
      onFrame({
        type: input[at + 3] ?? 0,
        flags: input[at + 4] ?? 0,
        streamId: input.readUInt32BE(at + 5) & 0x7fffffff,
        payload: input.subarray(at + headBytes, end),
      });
      at = end;
    }
    if (at < input.length) this.#rest = Buffer.from(input.subarray(at));
  }
}

/** What one turn has to say, so that it leaves in one write. */
export class Outgoing {
  #parts: Uint8Array[] = [];

  add(part: Uint8Array): void {
    this.#parts.push(part);
  }

  /** Undefined: nothing to say. */
  take(): Buffer | undefined {
    if (this.#parts.length === 0) return undefined;
    const all = Buffer.concat(this.#parts);
    this.#parts = [];
    return all;
  }
}
