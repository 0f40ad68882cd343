import { refuse, ok, type Result } from '#runtime/result.ts';
import { h2Error } from './errors.ts';
import {
  largest31Bits,
  largestMaxFrameBytes,
  readUint32,
  settingId,
  smallestMaxFrameBytes,
  writeUint32,
} from './frames.ts';
import type { H2ErrorCode, H2Settings, WorkerPlace } from './types.ts';

/** The longest frame that we take: what every peer may send. Longer ones would not be cheaper. */
export const ourMaxFrameBytes = smallestMaxFrameBytes;
/** Of the peer's encoder. */
export const ourTableBytes = 8_192;

const settingBytes = 6;

/** What a stream's window is at first. */
export function firstWindowBytes({ windowBytes, firstWindowBytes: first = windowBytes }: WindowSettings): number {
  return Math.min(first, windowBytes);
}

type WindowSettings = Pick<H2Settings, 'windowBytes' | 'firstWindowBytes'>;

/** SETTINGS payload that states ours. */
export function writeSettings(role: 'client' | 'server', settings: H2Settings): Buffer {
  const rows: [number, number][] = [
    [settingId.headerTableSize, ourTableBytes],
    [settingId.initialWindowSize, firstWindowBytes(settings)],
    [settingId.maxHeaderListSize, settings.maxHeaderListBytes],
    role === 'client' ? [settingId.enablePush, 0] : [settingId.maxConcurrentStreams, settings.maxStreams],
  ];
  const { worker } = settings;
  if (worker) rows.push([settingId.worker, worker.worker * 0x1_0000 + worker.of]);
  const payload = Buffer.alloc(rows.length * settingBytes);
  for (const [at, [id, value]] of rows.entries()) {
    payload.writeUInt16BE(id, at * settingBytes);
    writeUint32(payload, at * settingBytes + 2, value);
  }
  return payload;
}

/** What one SETTINGS frame of the peer changes; what it does not name stays. */
export interface PeerSettings {
  headerTableBytes?: number;
  maxStreams?: number;
  windowBytes?: number;
  worker?: WorkerPlace;
}

/** Reads a payload whose length is a multiple of six (RFC 9113, section 6.5.2). Refusal: the error code to end with. */
export function readSettings(payload: Buffer, peer: 'client' | 'server'): Result<PeerSettings, H2ErrorCode> {
  const read: PeerSettings = {};
  for (let at = 0; at < payload.length; at += settingBytes) {
    const value = readUint32(payload, at + 2);
    switch (payload.readUInt16BE(at)) {
      case settingId.headerTableSize:
        read.headerTableBytes = value;
        break;
      case settingId.enablePush:
        if (value > (peer === 'client' ? 1 : 0)) return refuse(h2Error.protocol);
        break;
      case settingId.maxConcurrentStreams:
        read.maxStreams = value;
        break;
      case settingId.initialWindowSize:
        if (value > largest31Bits) return refuse(h2Error.flowControl);
        read.windowBytes = value;
        break;
      case settingId.maxFrameSize:
        if (value < smallestMaxFrameBytes || value > largestMaxFrameBytes) return refuse(h2Error.protocol);
        break; // ours never are longer than any peer takes
      case settingId.worker:
        if (isPlace(value)) read.worker = { worker: value >>> 16, of: value & 0xffff };
        break;
      default: // unknown ones are ignored, so is what the peer's field sections may have
    }
  }
  return ok(read);
}

/** A hint and no promise: one that makes no sense is ignored. */
function isPlace(value: number): boolean {
  return value >>> 16 >= 1 && value >>> 16 <= (value & 0xffff);
}
