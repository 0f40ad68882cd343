/**
 * HTTP/2 settings of both ends of a tunnel. A window of 1 MiB moves as many bytes per second as one of 8 on a fast
 * network, and a peer that fills windows nobody reads from holds an eighth.
 */
export const tunnelSettings = {
  enablePush: false,
  initialWindowSize: 1024 * 1024,
  maxConcurrentStreams: 10_000,
  maxHeaderListSize: 16_384,
} as const;

/** The window of a whole session. */
export const tunnelWindowBytes = 16 * 1024 * 1024;

/** What may lie unread in one session; Node's HTTP/2 counts bytes as taken as soon as it holds them. */
export const unreadCeilingBytes = 64 * 1024 * 1024;
