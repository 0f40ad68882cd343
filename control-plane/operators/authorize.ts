import type { RateLimiter } from '#control-plane/limits.ts';
import type { Refusal } from '#proto/refusal.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { Operators } from './operators.ts';
import type { RecordRefusal } from './refusals.ts';
import { may, whoMay, type Action, type Operator } from './roles.ts';

export interface AuthorizerParts {
  readonly operators: Pick<Operators, 'authenticate'>;
  /** Of credentials that nobody has: guessing is slow and quiet, and a good one is never held up. */
  readonly failed: RateLimiter;
  readonly record: RecordRefusal;
}

/** Who asks, if they may do that; `subject` is what it is about, for the audit log. */
export type Authorize = (credential: string, action: Action, subject: string) => Promise<Result<Operator, Refusal>>;

export function createAuthorize({ operators, failed, record }: AuthorizerParts): Authorize {
  return async (credential, action, subject) => {
    const known = operators.authenticate(credential);
    if (!known.ok) {
      const admission = failed.take('');
      const refusal = { action, subject, by: undefined };
      if (admission.admitted) {
        await record({ ...refusal, reason: known.reason });
        return refuse({ code: 'unauthenticated', reason: known.reason });
      }
      const { retryAfterMs, report: repeats } = admission;
      await record({ ...refusal, reason: 'too-many-failed-credentials', repeats });
      return refuse({ code: 'resource-exhausted', reason: 'too-many-failed-credentials', retryAfterMs });
    }
    if (may(known.value, action)) return ok(known.value);
    const reason = `needs-${whoMay(action).replaceAll(' ', '-')}`;
    await record({ action, subject, by: known.value, reason });
    return refuse({ code: 'permission-denied', reason });
  };
}
