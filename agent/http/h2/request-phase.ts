/** How far one request on a stream has come. */
export type RequestPhase =
  /** No head yet. */
  | 'fresh'
  /** The admission is awaited. */
  | 'judging'
  /** An admitted GET whose end has not come: its content would be refused. */
  | 'held'
  | 'forwarding'
  /** The answer has ended but waits for window. */
  | 'flushing'
  | 'over';
