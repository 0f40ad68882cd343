/** Ceilings and deadlines towards one port of a peer. */
export interface UpstreamLimits {
  /** For one connect attempt, handshake and first answer included. */
  readonly tryMs: number;
  /** For all attempts of one stream. */
  readonly overallMs: number;
  /** Requests and opaque streams that run or wait. */
  readonly maxInFlight: number;
  /** Of these, those that wait for a stream. */
  readonly maxPending: number;
  /** How long a stream without a request is kept; shorter than the peer's agent waits for a next request. */
  readonly keepMs: number;
}

export const defaultUpstreamLimits: UpstreamLimits = {
  tryMs: 3_000,
  overallMs: 10_000,
  maxInFlight: 20_000,
  maxPending: 4_096,
  keepMs: 60_000,
};
