/** A key that signs tokens, and its place in the ring (tokens/key-ring.ts). */
export interface StoredSigningKey {
  readonly kid: string;
  /** PKCS#8, encrypted: see ca/sealing.ts. */
  readonly sealedKey: Buffer;
  readonly publishedAtMs: number;
  readonly signsFromMs: number | undefined;
  readonly retiredAtMs: number | undefined;
}

export interface SigningKeyReader {
  /** The oldest first. */
  signingKeys(): readonly StoredSigningKey[];
  /** Counts their changes; 0 before the first. */
  signingKeyVersion(): number;
}

export interface SigningKeyWriter extends SigningKeyReader {
  /** In the place of all that were there; throws on a version that is not greater than the last. */
  setSigningKeys(keys: readonly StoredSigningKey[], version: number): void;
}
