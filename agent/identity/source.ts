/** Where identities come from: the control plane, or files that somebody else keeps. Publishes into the store. */
export interface IdentitySource {
  /** Runs until the signal aborts and then throws its reason; throws a `Fault` that no waiting can mend. */
  run(signal: AbortSignal): Promise<never>;
  /** Does now what would be done later: renew, or read the files again. */
  renewNow(): void;
  status(): SourceStatus;
}

export interface SourceStatus {
  /** SVIDs that replaced an earlier one since the start. */
  readonly rotations: number;
  /** The issuer's clock minus ours, as of the last call; 0 where nobody was asked. */
  readonly skewMs: number;
  readonly controlPlane: 'connected' | 'unreachable' | 'none';
  /** How often a join token was shown and accepted: at most once per start. */
  readonly joinTokenUses: number;
}
