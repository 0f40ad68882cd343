import { constants } from 'node:crypto';

/** What an issuer's configuration may allow. `none`, HMAC and EdDSA are no issuer's choice here (A1, A2). */
export type IssuerAlgorithm = 'ES256' | 'ES384' | 'ES512' | 'RS256' | 'RS384' | 'RS512' | 'PS256' | 'PS384' | 'PS512';

/** What a workload's proof may use besides: EdDSA with Ed25519, as in the examples of WIMSE. */
export type SignatureAlgorithm = IssuerAlgorithm | 'EdDSA';

interface AlgorithmFacts {
  readonly keyType: 'EC' | 'RSA' | 'OKP';
  /** `crv` of the JWK; RSA has none. */
  readonly curve?: string;
  /** For `verify` of node:crypto; Ed25519 brings its own. */
  readonly hash?: string;
  /** Padding options of node:crypto. */
  readonly padding?: { readonly padding: number; readonly saltLength?: number };
  /** Of each coordinate of a key, in bytes: RFC 7518, section 6.2.1.2; RFC 8037, section 2. */
  readonly coordinateBytes?: number;
}

const pss = {
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
};
const pkcs1 = { padding: constants.RSA_PKCS1_PADDING };

export const algorithmFacts: Readonly<Record<SignatureAlgorithm, AlgorithmFacts>> = {
  ES256: { keyType: 'EC', curve: 'P-256', hash: 'sha256', coordinateBytes: 32 },
  ES384: { keyType: 'EC', curve: 'P-384', hash: 'sha384', coordinateBytes: 48 },
  ES512: { keyType: 'EC', curve: 'P-521', hash: 'sha512', coordinateBytes: 66 },
  RS256: { keyType: 'RSA', hash: 'sha256', padding: pkcs1 },
  RS384: { keyType: 'RSA', hash: 'sha384', padding: pkcs1 },
  RS512: { keyType: 'RSA', hash: 'sha512', padding: pkcs1 },
  PS256: { keyType: 'RSA', hash: 'sha256', padding: pss },
  PS384: { keyType: 'RSA', hash: 'sha384', padding: pss },
  PS512: { keyType: 'RSA', hash: 'sha512', padding: pss },
  EdDSA: { keyType: 'OKP', curve: 'Ed25519', coordinateBytes: 32 },
};

export const issuerAlgorithms: readonly IssuerAlgorithm[] = [
  ...(['ES256', 'ES384', 'ES512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
];

/** What the proofs of workloads and clients (WPT, DPoP) may be made with. */
export const proofAlgorithms: readonly SignatureAlgorithm[] = [...issuerAlgorithms, 'EdDSA'];
