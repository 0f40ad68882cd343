import { createH2Session } from '#agent/h2/session.ts';
import { defaultH2Times, type H2Times } from '#agent/h2/session-options.ts';
import type { H2Session, H2SessionHandler, H2Settings } from '#agent/h2/types.ts';
import type { HttpTimes, MessageLimits } from '#agent/http/service.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Clock } from '#runtime/clock.ts';

export interface H2cParts {
  readonly limits: MessageLimits;
  readonly times: HttpTimes;
  readonly clock: Clock;
}

/** An HTTP/2 session with an app, or with whoever wants one: no tunnel, so CONNECT is refused. */
export function openH2c(pipe: Pipe, role: 'client' | 'server', handler: H2SessionHandler, parts: H2cParts): H2Session {
  const { limits, times, clock } = parts;
  return createH2Session({ role, pipe, handler, clock, settings: h2cSettings(limits), times: h2cTimes(times) });
}

function h2cSettings({ head }: MessageLimits): H2Settings {
  return {
    windowBytes: 1024 * 1024,
    sessionWindowBytes: 16 * 1024 * 1024,
    maxStreams: 1_000,
    maxHeaderListBytes: head.maxBytes,
    maxHeaders: head.maxHeaders,
    connect: 'refuse',
    unreadCeilingBytes: 64 * 1024 * 1024,
  };
}

function h2cTimes({ headMs, idleMs }: HttpTimes): H2Times {
  return { ...defaultH2Times, headMs, idleMs };
}
