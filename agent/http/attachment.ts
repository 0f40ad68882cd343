import type { Result } from '#runtime/result.ts';
import type { HeaderField } from './header-field.ts';

/** Why there is nothing to attach. */
export type AttachProblem =
  /** The issuer did not answer in time, or not at all. */
  | 'no-token'
  /** It issues none for this. */
  | 'token-not-issued'
  /** What it gave is no token for this. */
  | 'token-unusable'
  /** More than are kept. */
  | 'too-many-tokens';

/** A field that is added to requests, by the certificate of ours that authenticates the connection which carries them. */
export interface Attachment {
  /** The field for connections with this certificate (`X509Svid.thumbprint`): the same object while it holds. Undefined: `obtain` it. */
  field(thumbprint: string): HeaderField | undefined;
  /** Waits for it, at most `ms`; all who wait for the same wait together. */
  obtain(thumbprint: string, ms: number): Promise<Result<HeaderField, AttachProblem>>;
}
