/** Frame types and flags as they stand in a frame's head (RFC 9113, section 6). */
export const frameType = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

export const frameFlag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** Identifiers of settings (RFC 9113, section 6.5.2). */
export const settingId = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
  /** Ours, in the range for experiments (RFC 7540, section 11.3): `WorkerPlace`, the worker in the upper 16 bits. */
  worker: 0xf0e7,
} as const;

export const frameHeadBytes = 9;

/** What each side may send before it has heard the other's settings (RFC 9113, section 6.5.2). */
export const initialWindowBytes = 65_535;
export const smallestMaxFrameBytes = 16_384;
export const largestMaxFrameBytes = 2 ** 24 - 1;
/** Of a window, and of a stream's number. */
export const largest31Bits = 2 ** 31 - 1;

/** The client's first bytes (RFC 9113, section 3.4). */
export const clientPreface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** A frame's head, without its payload. */
export interface FrameHead {
  /** Of the payload. */
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
}

export function readUint32(bytes: Buffer, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export function writeUint32(into: Buffer, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}
