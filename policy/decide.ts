import type { Result } from '#runtime/result.ts';
import type { CompiledPolicy } from './compile.ts';
import { Asked } from './asked.ts';
import { matches, type CompiledRule } from './compiled-rule.ts';
import { findDenial, findTokenDenial, type CallerProof } from './denials.ts';
import type { Call, CallToken, Decision, DenyEntry, DryRun, MtlsMode, Verdict } from './model.ts';
import { normalizePath, type PathProblem } from './path.ts';

/**
 * DENY rules before ALLOW rules; what none of either is about is refused, unless a MeshPolicy says otherwise to callers of
 * the own trust domain. A POST that asks to be taken for another method must be admitted as both. A path with parameters (`/a;v=1/b`) is judged without them too, for some apps cut them off: it must
 * be admitted both ways.
 */
export function decide(policy: CompiledPolicy, call: Call): Decision {
  const decision = decideAs(policy, call);
  if (!decision.allow || call.http?.alsoMethods === undefined) return decision;
  for (const method of call.http.alsoMethods) {
    const other = decideAs(policy, { ...call, http: { ...call.http, method } });
    if (!other.allow) return other;
  }
  return decision;
}

function decideAs(policy: CompiledPolicy, call: Call): Decision {
  const path = call.http?.path;
  const decision = judge(policy, new Asked(call, path, policy.ownIds));
  if (path === undefined || !path.includes(';')) return decision;
  const bare = withoutParameters(path);
  const other: Decision = bare.ok
    ? judge(policy, new Asked(call, bare.value, policy.ownIds))
    : { ...refused, audited: none, dryRun: none };
  const notes = {
    audited: [...new Set([...decision.audited, ...other.audited])],
    dryRun: [
      ...decision.dryRun,
      ...other.dryRun.filter(({ rule }) => !decision.dryRun.some((each) => each.rule === rule)),
    ],
  };
  return { ...(decision.allow && !other.allow ? other : decision), ...notes };
}

/** As an app reads a path that cuts parameters off: `/a/b` of `/a;v=1/b`. */
export function withoutParameters(path: string): Result<string, PathProblem> {
  return normalizePath(path.replaceAll(/;[^/]*/g, ''));
}

/** Why a caller is shut out, whatever rules say of it; undefined: it is not. */
export function deniedBy(policy: CompiledPolicy, proof: CallerProof, nowMs: number): DenyEntry | undefined {
  return findDenial(policy.denials, proof, nowMs);
}

/** Why a token is believed no more, whatever rules say of it; undefined: it is. */
export function tokenDeniedBy(policy: CompiledPolicy, token: CallToken, nowMs: number): DenyEntry | undefined {
  return findTokenDenial(policy.tokenDenials, token, nowMs);
}

/** Of a call that no rule admits: whether one would if its token had every scope. */
export function isForScopeAlone(policy: CompiledPolicy, call: Call): boolean {
  const { http } = call;
  if (http?.token === undefined) return false;
  const token = { ...http.token, scopes: policy.scopes };
  return decide(policy, { ...call, http: { ...http, token } }).allow;
}

/** Whether a port takes callers without a certificate. */
export function mtlsModeOf(policy: CompiledPolicy, port: number): MtlsMode {
  return policy.mtls.of(port);
}

const none: readonly never[] = [];
const refused = { allow: false, reason: 'no-rule-matches' } as const;

function judge(policy: CompiledPolicy, asked: Asked): Decision {
  let denying: CompiledRule | undefined;
  let allowing: CompiledRule | undefined;
  let noted: CompiledRule[] | undefined;
  policy.rules.find(asked, (rule) => {
    switch (rule.effect) {
      case 'deny':
        if (isBefore(rule, denying) && matches(rule, asked)) denying = rule;
        return;
      case 'allow':
        if (isBefore(rule, allowing) && matches(rule, asked)) allowing = rule;
        return;
      default:
        if (noted?.includes(rule) !== true && matches(rule, asked)) (noted ??= []).push(rule);
    }
  });
  const verdict = verdictOf(
    denying,
    allowing,
    policy.otherwise === undefined || asked.isForeign ? undefined : policy.otherwise,
  );
  if (noted === undefined && policy.onTrial.length === 0) return { ...verdict, audited: none, dryRun: none };
  return { ...verdict, ...notesOf(noted ?? none, verdict, policy.onTrial) };
}

function isBefore(rule: CompiledRule, best: CompiledRule | undefined): boolean {
  return best === undefined || rule.order < best.order;
}

function verdictOf(
  denying: CompiledRule | undefined,
  allowing: CompiledRule | undefined,
  otherwise: string | undefined,
): Verdict {
  if (denying !== undefined) return { allow: false, reason: 'denied-by-rule', rule: denying.name };
  const rule = allowing?.name ?? otherwise;
  return rule === undefined ? refused : { allow: true, rule };
}

/**
 * Rules on trial are named where they would have made another verdict, and ALLOW policies on trial where none of their rules
 * would have admitted what is admitted only as long as no ALLOW policy counts.
 */
function notesOf(
  noted: readonly CompiledRule[],
  verdict: Verdict,
  onTrial: readonly string[],
): Pick<Decision, 'audited' | 'dryRun'> {
  const inOrder = noted.toSorted((a, b) => a.order - b.order);
  const isUnnamed = !verdict.allow && verdict.reason === 'no-rule-matches';
  const isShutOut = verdict.allow && !noted.some(({ effect }) => effect === 'would-allow');
  return {
    audited: inOrder.filter(({ effect }) => effect === 'audit').map(({ name }) => name),
    dryRun: [
      ...inOrder.flatMap(({ effect, name }): readonly DryRun[] => {
        if (effect === 'would-deny' && verdict.allow) return [{ verdict: effect, rule: name }];
        return effect === 'would-allow' && isUnnamed ? [{ verdict: effect, rule: name }] : [];
      }),
      ...(isShutOut ? onTrial.map((rule) => ({ verdict: 'would-deny', rule }) as const) : []),
    ],
  };
}
