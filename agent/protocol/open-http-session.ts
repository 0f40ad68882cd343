import { createH2Session } from '#agent/h2/session.ts';
import { defaultH2Times } from '#agent/h2/session-options.ts';
import type { H2Session, H2SessionHandler, H2Settings } from '#agent/h2/types.ts';
import type { HttpTimes, MessageLimits } from '#agent/http/service.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Clock } from '#runtime/clock.ts';

/** What one session may occupy. */
export type SessionRoom = Pick<
  H2Settings,
  'windowBytes' | 'firstWindowBytes' | 'sessionWindowBytes' | 'maxStreams' | 'unreadCeilingBytes'
>;

export interface HttpSessionParts {
  readonly limits: MessageLimits;
  readonly times: HttpTimes;
  readonly clock: Clock;
  /** Default: what an app may. */
  readonly room?: SessionRoom;
}

const appRoom: SessionRoom = {
  windowBytes: 1024 * 1024,
  firstWindowBytes: 128 * 1024,
  sessionWindowBytes: 16 * 1024 * 1024,
  maxStreams: 1_000,
  unreadCeilingBytes: 64 * 1024 * 1024,
};

/** Whoever has no identity: there are many of them, and each may occupy less than a peer or the app. */
export const outsiderRoom: SessionRoom = {
  windowBytes: 256 * 1024,
  firstWindowBytes: 64 * 1024,
  sessionWindowBytes: 1024 * 1024,
  maxStreams: 100,
  unreadCeilingBytes: 4 * 1024 * 1024,
};

/** An HTTP/2 session with an app, or with whoever wants one: no tunnel, so CONNECT is refused. */
export function openHttpSession(
  pipe: Pipe,
  role: 'client' | 'server',
  handler: H2SessionHandler,
  { limits: { head }, times: { headMs, idleMs }, clock, room = appRoom }: HttpSessionParts,
): H2Session {
  const settings: H2Settings = {
    ...room,
    maxHeaderListBytes: head.maxBytes,
    maxHeaders: head.maxHeaders,
    connect: 'refuse',
  };
  return createH2Session({ role, pipe, handler, clock, settings, times: { ...defaultH2Times, headMs, idleMs } });
}
