import { diffLines } from '#cli/policy/line-diff.ts';
import type { PolicyName } from '#policy/model.ts';
import type { RuleUse } from '#policy/learn/policy-use.ts';
import { policyKey } from '#proto/messages.ts';
import { writeDocument } from '#runtime/documents.ts';
import type { CurrentPolicy } from './current-policies.ts';
import { callLines, toldCalls, type ToldCall } from './findings.ts';
import { learnedDocuments } from './learned-file.ts';
import type { LogLearner } from './log-learner.ts';

/** What learned documents are beside the current ones. */
export interface Comparison {
  readonly changes: readonly DocumentChange[];
  readonly rules: RuleUse;
  readonly notAllowed: readonly ToldCall[];
  readonly nowDenied: readonly ToldCall[];
  /** Calls. */
  readonly perhapsAllowed: number;
}

interface DocumentChange {
  readonly outcome: 'created' | 'changed' | 'unchanged';
  /** `AuthorizationPolicy/shop/learned-prices`. */
  readonly policy: string;
  /** `- ` what would go, `+ ` what would come. */
  readonly lines: readonly string[];
}

export function compare(
  learner: LogLearner,
  current: readonly CurrentPolicy[],
  to: PolicyName | undefined,
): Comparison {
  const known = new Map(current.map(({ document, raw }) => [policyKey(document), linesOf(raw)]));
  const changes = learnedDocuments(learner).map((learned): DocumentChange => {
    const { kind, metadata } = learned as { readonly kind: string; readonly metadata: PolicyName };
    const policy = policyKey({ kind, ...metadata });
    const [before, after] = [known.get(policy), linesOf(learned)];
    const isSame = before?.join('\n') === after.join('\n');
    const outcome = before === undefined ? 'created' : isSame ? 'unchanged' : 'changed';
    return { outcome, policy, lines: isSame ? [] : diffLines(before ?? [], after) };
  });
  return {
    changes,
    rules: learner.use?.use(to) ?? { unused: [], untold: [], unseen: [] },
    notAllowed: toldCalls(learner.notAllowed.workloads()),
    nowDenied: toldCalls(learner.nowDenied.workloads()),
    perhapsAllowed: learner.perhapsAllowed,
  };
}

/** For people. `created`: lines of documents that are new as a whole, or their names alone. */
export function comparisonText(
  { changes, rules, notAllowed, nowDenied, perhapsAllowed }: Comparison,
  { created }: { readonly created: 'in-full' | 'by-name' },
): string {
  const named = (title: string, names: readonly string[]): readonly string[] =>
    names.length === 0 ? [] : ['', title, ...names.map((name) => `  ${name}`)];
  const told = (title: string, calls: readonly ToldCall[]): readonly string[] =>
    calls.length === 0 ? [] : ['', title, ...callLines(calls)];
  return [
    ...changes.flatMap(({ outcome, policy, lines }) => [
      `${outcome} ${policy}`,
      ...(outcome === 'created' && created === 'by-name' ? [] : lines),
    ]),
    ...named('ALLOW rules that no call needed; without all of them each is allowed as before:', rules.unused),
    ...named('ALLOW rules of which the log cannot tell, for they ask for hosts, headers or tokens:', rules.untold),
    ...named('ALLOW rules for workloads of which there is no call in the log:', rules.unseen),
    ...told('Calls that no current rule allows:', notAllowed),
    ...told('Calls that a current rule denies, whatever is learned:', nowDenied),
    ...(perhapsAllowed === 0
      ? []
      : ['', `Calls that only a rule with hosts, headers or tokens may allow: ${perhapsAllowed}`]),
    '',
  ].join('\n');
}

/** As YAML, in the order in which it was written. */
function linesOf(raw: unknown): readonly string[] {
  return writeDocument(raw).trimEnd().split('\n');
}
