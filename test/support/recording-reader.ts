import type { PipeReader } from '#agent/pipe/pipe.ts';

/** Keeps all that a pipe tells it. */
export interface RecordingReader extends PipeReader {
  /** Everything that arrived, in one piece. */
  readonly bytes: Buffer;
  /** In pieces as they came. */
  readonly pieces: readonly Buffer[];
  /** What was told, in order; several `bytes` in a row are one. */
  readonly story: readonly ('bytes' | 'end' | 'cut' | 'drain')[];
  /** Resolves when this was told, or has been already. */
  told(what: 'bytes' | 'end' | 'cut' | 'drain'): Promise<void>;
  /** Resolves once at least so many bytes have arrived. */
  got(count: number): Promise<Buffer>;
}

export function createRecordingReader(): RecordingReader {
  const pieces: Buffer[] = [];
  const story: ('bytes' | 'end' | 'cut' | 'drain')[] = [];
  const waiting: { done: () => boolean; resolve: () => void }[] = [];
  let length = 0;

  function note(what: 'bytes' | 'end' | 'cut' | 'drain'): void {
    if (what !== 'bytes' || story.at(-1) !== 'bytes') story.push(what);
    for (const waiter of waiting.splice(0)) {
      if (waiter.done()) waiter.resolve();
      else waiting.push(waiter);
    }
  }
  function until(done: () => boolean): Promise<void> {
    if (done()) return Promise.resolve();
    return new Promise((resolve) => waiting.push({ done, resolve }));
  }

  return {
    get bytes() {
      return Buffer.concat(pieces);
    },
    pieces,
    story,
    onBytes(bytes) {
      pieces.push(Buffer.from(bytes));
      length += bytes.length;
      note('bytes');
    },
    onEnd: () => note('end'),
    onCut: () => note('cut'),
    onDrain: () => note('drain'),
    told: (what) => until(() => story.includes(what)),
    async got(count) {
      await until(() => length >= count);
      return Buffer.concat(pieces);
    },
  };
}
