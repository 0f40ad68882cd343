import { isHttp2Settings } from '#agent/http/http2-settings.ts';
import type { HttpConnection } from '#agent/http/service.ts';
import { noBytes } from '#agent/pipe/no-bytes.ts';
import type { Pipe, PipeReader } from '#agent/pipe/pipe.ts';
import type { Clock, Timer } from '#runtime/clock.ts';
import type { Result } from '#runtime/result.ts';
import { detectProtocol } from './detect.ts';
import { FirstLineGuard } from './first-line-guard.ts';
import { letGo } from './let-go.ts';
import type { FarEnd, NotOpened, OpenOpaque } from './far-end.ts';

/** Who serves a connection once its protocol is known. Each makes itself the pipe's reader and resumes it. */
export interface ProtocolServers {
  readonly clock: Clock;
  readonly http: (pipe: Pipe) => HttpConnection;
  readonly http2: (pipe: Pipe) => HttpConnection;
  /** Undefined where only HTTP is spoken: then everything else is given to `http`, which refuses it. */
  readonly openOpaque: OpenOpaque | undefined;
  /** For the first byte, where only HTTP is spoken. */
  readonly firstMs: number;
}

/** A caller that says nothing for so long may wait for the server to speak first. */
const silentMs = 50;
/** A request line that has begun has so long to become one. */
const partialMs = 500;

/**
 * Serves a connection by what its first bytes are. A silent caller of a port that may be opaque gets the far end opened
 * meanwhile: if that speaks first the stream is opaque, if the caller does, its bytes tell as ever. That it cannot be had
 * is told only once it was wanted.
 */
export function serveDetected(pipe: Pipe, servers: ProtocolServers): HttpConnection {
  const connection = new DetectedConnection(pipe, servers);
  connection.start();
  return connection;
}

class DetectedConnection implements HttpConnection, PipeReader {
  readonly #pipe: Pipe;
  readonly #servers: ProtocolServers;
  #early: Buffer = noBytes;
  #hasEnded = false;
  #isDraining = false;
  #timer: Timer | undefined;
  /** Stops opening the far end. */
  #stop: (() => void) | undefined;
  #farEnd: FarEnd | undefined;
  /** The far end waits for HTTP/2: silence is no reason to ask it again. */
  #isHttp2Awaited = false;
  /** There is no far end for opaque bytes: only HTTP may still come. */
  #notOpened: NotOpened | undefined;
  /** `opaque`: all that is missing is the far end. `unproven`: the same, but the first line is to be watched. */
  #verdict: 'none' | 'opaque' | 'unproven' = 'none';
  #served: HttpConnection | undefined;
  #phase: 'waiting' | 'served' | 'over' = 'waiting';

  constructor(pipe: Pipe, servers: ProtocolServers) {
    this.#pipe = pipe;
    this.#servers = servers;
  }

  start(): void {
    const { openOpaque, firstMs } = this.#servers;
    this.#wait(openOpaque === undefined ? firstMs : silentMs);
    this.#pipe.reader = this;
    this.#pipe.resume();
  }

  drain(): void {
    this.#isDraining = true;
    if (this.#phase === 'served') this.#served?.drain();
    else if (this.#phase === 'waiting' && this.#verdict === 'none' && this.#early.length === 0) this.#giveUp();
  }
  reconsider(): void {
    if (this.#phase === 'served') this.#served?.reconsider?.();
    else if (this.#farEnd?.isRevoked() === true) this.#openAnew(this.#farEnd);
  }
  destroy(): void {
    if (this.#phase === 'served') return this.#served?.destroy();
    this.#leave();
    this.#pipe.cut();
  }

  onBytes(bytes: Buffer): void {
    if (this.#phase !== 'waiting') return;
    const all = this.#early.length === 0 ? bytes : Buffer.concat([this.#early, bytes]);
    if (this.#verdict !== 'none') {
      this.#early = Buffer.from(all); // it was paused, and had this already
      return;
    }
    const detected = detectProtocol(all);
    if (detected === 'http' || detected === 'http2') return this.#serveHttp(detected, all);
    if (detected !== 'more') return this.#serveOpaque(detected === 'opaque' ? 'opaque' : 'unproven', all);
    if (this.#early.length === 0) this.#wait(partialMs); // for the whole line: more bytes buy no more time (A54)
    this.#early = Buffer.from(all);
  }
  onEnd(): void {
    this.#hasEnded = true;
    if (this.#phase !== 'waiting' || this.#verdict !== 'none') return;
    if (this.#notOpened !== undefined && this.#early.length === 0) this.#giveUp(); // it wanted nothing
    else this.#serveOpaque('opaque', this.#early);
  }
  onCut(): void {
    this.#leave();
  }
  onDrain(): void {
    // nothing was written
  }

  #expired(): void {
    const { openOpaque } = this.#servers;
    if (this.#early.length > 0 && this.#notOpened !== undefined) this.#serveHttp('http', this.#early);
    else if (this.#early.length > 0) this.#serveOpaque('unproven', this.#early);
    else if (openOpaque === undefined || this.#isHttp2Awaited) this.#giveUp();
    else if (this.#notOpened !== undefined) this.#tellAndGiveUp();
    else this.#open();
  }

  #serveHttp(version: 'http' | 'http2', bytes: Buffer): void {
    this.#notOpened = undefined;
    this.#leave();
    this.#phase = 'served';
    this.#served = this.#servers[version](this.#pipe);
    this.#replay(bytes);
  }

  #serveOpaque(verdict: 'opaque' | 'unproven', bytes: Buffer): void {
    if (this.#servers.openOpaque === undefined) return this.#serveHttp('http', bytes);
    if (this.#notOpened !== undefined) this.#stop = undefined; // it is asked for in earnest now
    this.#verdict = verdict;
    this.#waitNoMore();
    const farEnd = this.#farEnd;
    if (farEnd !== undefined) return this.#join(farEnd, bytes);
    this.#early = Buffer.from(bytes);
    this.#pipe.pause();
    if (this.#stop === undefined) this.#open();
  }

  #open(): void {
    this.#stop = nobody;
    const stop = this.#servers.openOpaque?.((opened) => this.#opened(opened));
    if (this.#phase === 'waiting' && this.#farEnd === undefined) this.#stop = stop;
  }
  #opened(opened: Result<FarEnd, NotOpened>): void {
    this.#stop = nobody;
    if (!opened.ok && this.#verdict === 'none' && this.#phase === 'waiting') {
      this.#notOpened = opened.reason; // its requests may be allowed though opaque bytes are not
      if (this.#early.length === 0) this.#wait(this.#servers.firstMs);
    } else if (!opened.ok) {
      opened.reason.tell();
      this.destroy();
    } else if (this.#verdict !== 'none') {
      this.#join(opened.value, this.#early);
    } else {
      const farEnd = opened.value;
      this.#farEnd = farEnd;
      farEnd.pipe.reader = new FirstWord(this, farEnd);
      farEnd.pipe.resume();
    }
  }
  /** Under the rules of now: its requests may be allowed still. */
  #openAnew(farEnd: FarEnd): void {
    this.#farEnd = undefined;
    farEnd.letGo();
    this.#open();
  }
  /** The far end spoke, ended or broke before the caller said anything that tells. */
  farEndSpoke(farEnd: FarEnd, bytes: Buffer): void {
    if (isHttp2Settings(bytes)) {
      farEnd.letGo();
      this.#farEnd = undefined;
      this.#stop = undefined; // should the caller be opaque after all, it is opened anew
      this.#isHttp2Awaited = true;
      if (this.#early.length === 0) this.#wait(this.#servers.firstMs);
      return;
    }
    this.#verdict = 'unproven';
    this.#join(farEnd, this.#early);
  }

  #join(farEnd: FarEnd, early: Buffer): void {
    this.#farEnd = undefined;
    const caller = this.#verdict === 'unproven' ? new FirstLineGuard(this.#pipe) : this.#pipe;
    this.#waitNoMore();
    this.#phase = 'served';
    this.#served = farEnd.join(caller);
    this.#replay(early);
  }

  /** To whoever reads the pipe now. */
  #replay(early: Buffer): void {
    const pipe = this.#pipe;
    if (early.length > 0) pipe.reader.onBytes(early);
    if (this.#hasEnded) pipe.reader.onEnd();
    if (this.#isDraining) this.#served?.drain();
    this.#early = noBytes;
  }

  /** It may have waited for the far end's word. */
  #tellAndGiveUp(): void {
    this.#notOpened?.tell();
    this.#giveUp();
  }

  #giveUp(): void {
    this.#leave();
    letGo(this.#pipe, this.#servers.clock);
  }

  #leave(): void {
    this.#phase = 'over';
    this.#waitNoMore();
    this.#stop?.();
    this.#stop = undefined;
    this.#farEnd?.letGo();
    this.#farEnd = undefined;
  }

  #waitNoMore(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #wait(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#servers.clock.timer(ms, () => this.#expired());
  }
}

/** Reads the far end until its first word. */
class FirstWord implements PipeReader {
  readonly #connection: DetectedConnection;
  readonly #farEnd: FarEnd;

  constructor(connection: DetectedConnection, farEnd: FarEnd) {
    this.#connection = connection;
    this.#farEnd = farEnd;
  }

  onBytes(bytes: Buffer): void {
    this.#connection.farEndSpoke(this.#farEnd, bytes);
    this.#passOn()?.onBytes(bytes);
  }
  onEnd(): void {
    this.#connection.farEndSpoke(this.#farEnd, noBytes);
    this.#passOn()?.onEnd();
  }
  onCut(): void {
    this.#connection.destroy();
  }
  onDrain(): void {
    // nothing was written
  }

  /** Whoever reads the far end now, if anybody does. */
  #passOn(): PipeReader | undefined {
    const { reader } = this.#farEnd.pipe;
    return reader === this ? undefined : reader;
  }
}

function nobody(): void {
  // nothing to stop yet
}
