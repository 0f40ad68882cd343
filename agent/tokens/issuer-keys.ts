import type { IssuerAlgorithm } from '#tokens/algorithms.ts';
import type { TrustedIssuer } from '#tokens/trusted-issuer.ts';

/** What the configuration says of an issuer, whichever way its keys come. */
export interface IssuerRules extends Omit<TrustedIssuer, 'keys'> {
  /** What it is called in logs and metrics. */
  readonly name: string;
  readonly algorithms: readonly IssuerAlgorithm[];
}

export interface FetchAnswers {
  /** How many times somebody who asked was answered, with a new document or without. */
  readonly answered: number;
  /** For how long no token buys another fetch. */
  readonly restMs: number;
}

/** The keys of one issuer as they stand. Plain values: worker threads get them too. */
export interface IssuerKeys {
  readonly rules: IssuerRules;
  /** A JWK Set that was read and found good; undefined: there is none (any more). */
  readonly document: string | undefined;
  /** Where keys are fetched; undefined: asking for more is of no use. */
  readonly fetches: FetchAnswers | undefined;
}

/** Full state, in the order of the configuration. */
export type TrustedKeys = readonly IssuerKeys[];
