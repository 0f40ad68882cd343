/** Error codes of RST_STREAM and GOAWAY (RFC 9113, section 7). */
export const h2Error = {
  none: 0x0,
  protocol: 0x1,
  internal: 0x2,
  flowControl: 0x3,
  settingsTimeout: 0x4,
  streamClosed: 0x5,
  frameSize: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compression: 0x9,
  connect: 0xa,
  enhanceYourCalm: 0xb,
} as const;

/** Why a session is over, for logs. */
export type CloseReason =
  /** Drained: the last stream has ended. */
  | 'drained'
  /** We ended it by `destroy`. */
  | 'destroyed'
  /** The peer ended the byte stream, in order or not. */
  | 'peer-closed'
  | 'pipe-cut'
  | 'preface-timeout'
  | 'head-timeout'
  | 'settings-timeout'
  | 'ping-timeout'
  | 'idle'
  /** The peer reads nothing of what waits for it. */
  | 'wire-stalled'
  | SessionProblem;

/** What a peer did so wrong that the whole session ends (RFC 9113, section 5.4.1). */
export type SessionProblem =
  | 'not-http2'
  | 'bad-frame'
  | 'bad-frame-size'
  | 'bad-settings'
  | 'bad-field-block'
  | 'frame-on-closed-stream'
  | 'window-exceeded'
  /** A ceiling of `floods.ts`. */
  | 'flood';

/** What GOAWAY says where a deadline ended the session. */
export function codeOfExpiry(reason: CloseReason): (typeof h2Error)[keyof typeof h2Error] {
  if (reason === 'head-timeout') return h2Error.enhanceYourCalm;
  const isUnsettled = reason === 'preface-timeout' || reason === 'settings-timeout';
  return isUnsettled ? h2Error.settingsTimeout : h2Error.none;
}
