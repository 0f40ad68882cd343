/** Claims that the verifiers of this room read. */
export type ClaimName =
  | 'act'
  | 'ath'
  | 'aud'
  | 'azp'
  | 'client_id'
  | 'cnf'
  | 'exp'
  | 'htm'
  | 'htu'
  | 'iat'
  | 'iss'
  | 'jti'
  | 'may_act'
  | 'name'
  | 'nbf'
  | 'nonce'
  | 'oth'
  | 'preferred_username'
  | 'rctx'
  | 'req_wl'
  | 'roles'
  | 'scope'
  | 'sub'
  | 'tctx'
  | 'tenant'
  | 'tth'
  | 'txn'
  | 'wth';

/** What is wrong with the text or its header, before any key is asked. */
export type JwsProblem =
  | 'too-large'
  | 'malformed'
  /** `crit`, whatever it lists, and `b64` (RFC 7515, section 4.1.11; RFC 7797). */
  | 'critical-header'
  /** A header parameter that this kind of token does not define, e.g. `jku` or `jwk`. */
  | 'header-not-allowed';

export type SignatureProblem = 'alg-not-allowed' | 'missing-kid' | 'unknown-kid' | 'bad-signature';

export type ClaimProblem =
  | `missing-${ClaimName}`
  /** Wrong type or form, or not allowed in this kind of token. */
  | `bad-${ClaimName}`
  | 'unknown-issuer'
  | 'wrong-audience'
  /** The issuer may not speak of this subject, client or actor. */
  | 'wrong-subject'
  | 'expired'
  | 'not-yet-valid'
  | 'issued-in-the-future'
  | 'lifetime-too-long';

/** Who shows the token is not who it was issued to. */
export type PresenterProblem =
  | 'not-bound'
  | 'no-certificate'
  | 'other-certificate'
  | 'no-dpop-proof'
  | 'other-dpop-key';

/** What a proof (WPT, DPoP) says of the request it came with is not so. */
export type ProofProblem =
  | 'no-header'
  | 'several-headers'
  | 'wrong-wth'
  | 'wrong-ath'
  | 'wrong-tth'
  | 'wrong-oth'
  | 'wrong-htm'
  | 'wrong-htu'
  | 'wrong-nonce'
  | 'bad-jwk';

/** Everything that a verifier of this room may answer: for logs and `explain`, never for the caller (A27). */
export type TokenProblem =
  | JwsProblem
  | 'wrong-typ'
  | SignatureProblem
  | ClaimProblem
  | PresenterProblem
  | ProofProblem
  | 'replayed'
  | 'too-many-ids';
