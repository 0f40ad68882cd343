import { deafReader } from './deaf-reader.ts';
import type { Pipe, PipeReader } from './pipe.ts';

/** A pipe around another one, whose reader it is: passes everything on. Those that watch or hold something extend it. */
export class WrappedPipe implements Pipe, PipeReader {
  reader: PipeReader = deafReader;
  protected readonly inner: Pipe;

  constructor(inner: Pipe) {
    this.inner = inner;
    inner.reader = this;
  }

  get isOpen(): boolean {
    return this.inner.isOpen;
  }
  get unsentBytes(): number {
    return this.inner.unsentBytes;
  }
  write(bytes: Buffer): boolean {
    return this.inner.write(bytes);
  }
  writeText(text: string): boolean {
    return this.inner.writeText(text);
  }
  flush(): void {
    this.inner.flush();
  }
  end(): void {
    this.inner.end();
  }
  cut(): void {
    this.inner.cut();
  }
  pause(): void {
    this.inner.pause();
  }
  resume(): void {
    this.inner.resume();
  }

  onBytes(bytes: Buffer): void {
    this.reader.onBytes(bytes);
  }
  onEnd(): void {
    this.reader.onEnd();
  }
  onCut(): void {
    this.reader.onCut();
  }
  onDrain(): void {
    this.reader.onDrain();
  }
}
