import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Result } from '#runtime/result.ts';

/** Opens a pipe and calls back once, at once or later. The function it gives stops the attempt: then nothing is called. */
export type Dial<P> = (onDialed: (dialed: Result<Pipe, P>) => void) => () => void;

/** Dials by a function that promises a result, and never rejects. A pipe that comes too late is cut. */
export function dialBy<P>(connect: (signal: AbortSignal) => Promise<Result<Pipe, P>>): Dial<P> {
  return (onDialed) => {
    const stop = new AbortController();
    void connect(stop.signal).then((dialed) => {
      if (!stop.signal.aborted) onDialed(dialed);
      else if (dialed.ok) dialed.value.cut();
    });
    return () => stop.abort();
  };
}
