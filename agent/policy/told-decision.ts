import type { KeptRefusal, RefusalBook } from '#agent/inbound/refusal-book.ts';
import { explain, type Explanation } from '#policy/explain.ts';
import type { PolicyCompiler } from './policy-compiler.ts';

/** Why a call was refused, as it is told to whoever asks by the decision's ID. */
export interface ToldDecision {
  readonly decisionId: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly reason: KeptRefusal['refusal']['reason'];
  readonly rule: string | undefined;
  /** Of `token-refused`: what is wrong with the token. */
  readonly token: string | undefined;
  /** By the rules as they stood then. */
  readonly explanation: Explanation;
}

/** Undefined: it was not refused by rules here, or so long ago that it is forgotten. */
export function tellDecision(id: string, book: RefusalBook, compiler: PolicyCompiler): ToldDecision | undefined {
  const kept = book.find(id);
  const source = kept && compiler.sourceOf(kept.policy);
  if (kept === undefined || source === undefined) return undefined;
  const { denial } = kept.refusal;
  const explanation = explain(source.documents, source.workload, kept.call, denial === undefined ? [] : [denial]);
  if (!explanation.ok) return undefined; // what decides was compiled from the same documents
  const { reason, rule, token } = kept.refusal;
  const { value } = explanation; // rules may allow what a strict port turns away, or whose token is refused
  const isOfToken = reason === 'token-refused' || reason === 'token-denied';
  return {
    ...{ decisionId: id, atMs: kept.atMs, reason, rule, token },
    explanation: value.isTurnedAway || isOfToken ? { ...value, verdict: 'deny' } : value,
  };
}
