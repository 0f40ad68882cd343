/** HTTP/2 settings of both ends of a tunnel. Large windows: the default one moves half the bytes per second. */
export const tunnelSettings = {
  enablePush: false,
  initialWindowSize: 8 * 1024 * 1024,
  maxConcurrentStreams: 10_000,
  maxHeaderListSize: 16_384,
} as const;

/** The window of a whole session. */
export const tunnelWindowBytes = 32 * 1024 * 1024;
