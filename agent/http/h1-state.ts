/** Where an HTTP/1.1 connection stands. */
export type H1State =
  /** Between requests, or in the middle of a head. */
  | 'head'
  | 'admitting'
  | 'exchange'
  /** We have said all; the caller may still read it. */
  | 'lingering'
  /** It belongs to somebody else. */
  | 'handed'
  | 'over';
