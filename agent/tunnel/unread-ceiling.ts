import type { Duplex } from 'node:stream';
import type { Clock } from '#runtime/clock.ts';
import { cut } from './cut.ts';
import { tunnelSettings, unreadCeilingBytes } from './settings.ts';

const lookEveryMs = 250;
/** Fewer streams cannot exceed the ceiling: each holds at most its window. */
const harmlessStreams = Math.floor(unreadCeilingBytes / tunnelSettings.initialWindowSize);

/**
 * Keeps the unread bytes of one session under a ceiling: beyond it the fullest streams are cut, because one side fills
 * them and the other does not read. Others are untouched.
 */
export interface UnreadCeiling {
  add(stream: Duplex): void;
}

export function createUnreadCeiling(clock: Clock): UnreadCeiling {
  const streams = new Set<Duplex>();
  let isLooking = false;
  const look = (): void => {
    isLooking = streams.size > harmlessStreams;
    if (!isLooking) return;
    clock.timer(lookEveryMs, look);
    let unread = 0;
    for (const stream of streams) unread += stream.readableLength;
    if (unread <= unreadCeilingBytes) return;
    for (const stream of [...streams].sort((a, b) => b.readableLength - a.readableLength)) {
      if (unread <= unreadCeilingBytes / 2) return;
      unread -= stream.readableLength;
      cut(stream);
    }
  };
  return {
    add(stream) {
      streams.add(stream);
      stream.once('close', () => streams.delete(stream));
      if (!isLooking) look();
    },
  };
}
