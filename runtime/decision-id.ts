import { randomBytes } from 'node:crypto';

/** Names one refusal or failure, in the answer and in the log: 12 characters, not to be guessed. */
export function newDecisionId(): string {
  return randomBytes(9).toString('base64url');
}
