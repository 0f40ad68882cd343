import { Socket } from 'node:net';
import type { Clock } from './clock.ts';

/** The part of a process that is told to stop. */
export interface StopSource {
  readonly env: Readonly<Record<string, string | undefined>>;
  on(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', listener: () => void): unknown;
  exit(code: number): never;
}

/** One Ctrl-C can arrive twice, from the terminal and passed on by npm or the launcher: within this time it is one. */
const sameSignalMs = 500;

/** Names the descriptor whose end means that the launcher in front of us is gone. */
const lifelineVariable = 'EASTWEST_LIFELINE_FD';

/** The first signal, or the end of the launcher, aborts `stop`; a second one `kill`; a third ends the process. */
export function listenForStop(
  source: StopSource,
  clock: Clock,
): { readonly stop: AbortController; readonly kill: AbortController } {
  const stop = new AbortController();
  const kill = new AbortController();
  let lastMs = -Infinity;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    source.on(signal, () => {
      const isEcho = clock.monotonic() - lastMs < sameSignalMs;
      if (isEcho) return;
      lastMs = clock.monotonic();
      if (kill.signal.aborted) source.exit(1);
      (stop.signal.aborted ? kill : stop).abort(new Error(`stopped by ${signal}`));
    });
  }
  const fd = source.env[lifelineVariable];
  if (fd !== undefined) stopAtEndOf(Number(fd), stop);
  return { stop, kill };
}

/** A launcher that stays in front of us holds the other end of a pipe: when it is killed, we stop. */
function stopAtEndOf(fd: number, stop: AbortController): void {
  const lifeline = new Socket({ fd, readable: true, writable: false });
  lifeline.on('error', () => undefined).resume();
  lifeline.once('close', () => stop.abort(new Error('its launcher is gone')));
  lifeline.unref();
}
