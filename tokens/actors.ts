import { ok, refuse, type Result } from '#runtime/result.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './strict-json.ts';
import { maySpeakOf, type SubjectRules } from './subjects.ts';
import type { ClaimProblem } from './problem.ts';

/** Somebody who acts for the subject (RFC 8693, section 4.1). */
export interface Actor {
  readonly subject: string;
  readonly issuer: string | undefined;
}

const maxActors = 4;

/** The chain of `act`, the current actor first: only that one counts for access. At most four, nobody twice. */
export function readActors(claims: JsonObject, rules: SubjectRules): Result<readonly Actor[], ClaimProblem> {
  const actors: Actor[] = [];
  for (let act = claims.get('act'); act !== undefined; act = isJsonObject(act) ? act.get('act') : undefined) {
    const actor = readActor(act);
    if (!actor || actors.length === maxActors) return refuse('bad-act');
    if (actors.some(({ subject, issuer }) => subject === actor.subject && issuer === actor.issuer))
      return refuse('bad-act');
    if (!maySpeakOf(actor.subject, rules)) return refuse('wrong-subject');
    actors.push(actor);
  }
  return ok(actors);
}

/** `may_act` (RFC 8693, section 4.4): who alone may be the actor in an exchange. */
export function readMayAct(claims: JsonObject): Result<Actor | undefined, ClaimProblem> {
  const value = claims.get('may_act');
  if (value === undefined) return ok(undefined);
  const actor = readActor(value);
  return actor ? ok(actor) : refuse('bad-may_act');
}

function readActor(value: JsonValue): Actor | undefined {
  if (!isJsonObject(value)) return undefined;
  const subject = value.get('sub');
  const issuer = value.get('iss');
  if (typeof subject !== 'string' || subject === '') return undefined;
  return issuer === undefined || typeof issuer === 'string' ? { subject, issuer } : undefined;
}
