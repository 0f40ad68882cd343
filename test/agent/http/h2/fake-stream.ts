import type { H2Session, H2Stream, H2StreamHandler } from '#agent/h2/types.ts';
import type { HeaderField } from '#agent/http/header-field.ts';

const nobody: H2StreamHandler = {
  onHeaders: () => undefined,
  onData: () => undefined,
  onEnd: () => undefined,
  onReset: () => undefined,
  onDrain: () => undefined,
};

/** A stream without a wire: the test reads what was said on it and plays the other side by `handler`. */
export class FakeStream implements H2Stream {
  readonly id = 1;
  handler: H2StreamHandler = nobody;
  /** `HEAD :status: 200|…`, `DATA text`, `END` (also behind a head), `RESET code`, `PAUSE`, `RESUME`. */
  readonly said: string[] = [];
  /** No window: `data` answers false. */
  isFull = false;
  unsentBytes = 0;
  isOpen = true;

  headers(fields: readonly HeaderField[], end: boolean): void {
    this.say(`HEAD ${fields.map(({ name, value }) => `${name}: ${value}`).join('|')}${end ? ' END' : ''}`);
    this.isOpen &&= !end;
  }
  data(bytes: Buffer): boolean {
    this.say(`DATA ${bytes.toString('latin1')}`);
    if (this.isFull) this.unsentBytes += bytes.length;
    return !this.isFull;
  }
  text(text: string): boolean {
    return this.data(Buffer.from(text, 'latin1'));
  }
  end(): void {
    this.say('END');
    this.isOpen = false;
  }
  reset(code: number): void {
    this.say(`RESET ${code}`);
    this.isOpen = false;
  }
  pause(): void {
    this.say('PAUSE');
  }
  resume(): void {
    this.say('RESUME');
  }
  say(what: string): void {
    this.said.push(what);
  }
  /** There is window again. */
  drain(): void {
    this.isFull = false;
    this.unsentBytes = 0;
    this.handler.onDrain();
  }
}

/** A client's session: each request becomes a `FakeStream`, as long as `room` lasts. */
export class FakeSession implements H2Session {
  readonly role = 'client';
  readonly streams: FakeStream[] = [];
  takesStreams = true;
  isBackedUp = false;
  openStreams = 0;
  peerMaxStreams = Infinity;
  readonly peerWorker = undefined;

  request(fields: readonly HeaderField[], end: boolean, handler: H2StreamHandler): H2Stream | undefined {
    if (this.openStreams >= this.peerMaxStreams) return undefined;
    const stream = new FakeStream();
    stream.handler = handler;
    stream.headers(fields, end);
    this.openStreams += 1;
    this.streams.push(stream);
    return stream;
  }
  get last(): FakeStream {
    return this.streams.at(-1)!;
  }
  drain(): void {
    this.takesStreams = false;
  }
  ping(): void {
    throw new Error('nobody pings here');
  }
  destroy(): void {
    this.takesStreams = false;
  }
}
