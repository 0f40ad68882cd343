import { createH2Session } from '#agent/h2/session.ts';
import { defaultH2Times } from '#agent/h2/session-options.ts';
import type { H2Session, H2SessionHandler, H2Settings, WorkerPlace } from '#agent/h2/types.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Clock } from '#runtime/clock.ts';

/**
 * Of both ends of a tunnel, and of HTTP/2 to foreign servers. A stream window of 1 MiB moves as many bytes per second
 * as one of 8 on a fast network, and a peer that fills windows nobody reads from holds an eighth.
 */
export const tunnelSettings: H2Settings = {
  windowBytes: 1024 * 1024,
  firstWindowBytes: 128 * 1024,
  sessionWindowBytes: 16 * 1024 * 1024,
  maxStreams: 10_000,
  maxHeaderListBytes: 65_536,
  maxHeaders: 200,
  connect: 'allow',
  unreadCeilingBytes: 64 * 1024 * 1024,
};

/** Opens HTTP/2 as the tunnel does, in one of its roles; `worker`: which of several we are. */
export function openTunnelH2(
  role: 'client' | 'server',
  clock: Clock,
  worker?: WorkerPlace,
): (pipe: Pipe, handler: H2SessionHandler) => H2Session {
  const settings = { ...tunnelSettings, worker };
  return (pipe, handler) => createH2Session({ role, pipe, handler, clock, settings, times: defaultH2Times });
}
