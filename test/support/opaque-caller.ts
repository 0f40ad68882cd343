import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Result } from '#runtime/result.ts';
import { createRecordingReader, type RecordingReader } from './recording-reader.ts';

/** An opaque stream with somebody who reads it. */
export interface OpaqueCaller {
  readonly pipe: Pipe;
  readonly got: RecordingReader;
  /** Sends a text and resolves when it came back. */
  echo(text: string): Promise<void>;
}

/** Reads what was opened; throws what was not. */
export async function opaqueCaller(opening: Promise<Result<Pipe, string>>): Promise<OpaqueCaller> {
  const opened = await opening;
  if (!opened.ok) throw new Error(opened.reason);
  const pipe = opened.value;
  const got = createRecordingReader();
  pipe.reader = got;
  pipe.resume();
  let sent = 0;
  return {
    pipe,
    got,
    async echo(text) {
      sent += text.length;
      pipe.writeText(text);
      await got.got(sent);
    },
  };
}
