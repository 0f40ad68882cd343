import { principalOf, type Doubt, type Test } from './asked.ts';
import { PatternSet } from './match.ts';
import type { Condition, Rule, Source } from './model.ts';
import { namesDomain } from './patterns.ts';

/**
 * Whom `not…` fields take out of a rule. `named-only`: principals whose trust domain is named in full, and no namespace,
 * which does not say of which trust domain it is.
 */
export type Exemptions = 'as-written' | 'named-only';

interface CallerDemands extends Pick<Rule, 'from' | 'when'> {
  readonly doubt: Doubt;
}

interface TestMakers {
  readonly source: (source: Source, exemptions: Exemptions) => Test;
  readonly conditions: (exemptions: Exemptions) => Test;
}

/**
 * Whether a rule is about a caller of another trust domain (A44). A source, or the conditions beside it, with a principal
 * that names this caller's trust domain in full (`other.example/…`) means what it says. Any other one, by a star, a namespace
 * or nobody at all, admits none; where it refuses or notes, it is about foreign callers as well, and only whom it exempts by
 * a name in full is exempt.
 */
export function foreignMatch({ from, when, doubt }: CallerDemands, make: TestMakers): Test {
  const namedByConditions = namedIn(conditionLists(when));
  const sources = from.map((source) => ({
    names: namedIn([source.principals]),
    asWritten: make.source(source, 'as-written'),
    namedOnly: make.source(source, 'named-only'),
  }));
  const [asWritten, namedOnly] = [make.conditions('as-written'), make.conditions('named-only')];
  return (asked) => {
    const principal = principalOf(asked) ?? '';
    const isNamed = namedByConditions(principal);
    let by = from.length > 0 ? undefined : exemptionsOf(isNamed, doubt);
    for (const source of sources) {
      const exemptions = exemptionsOf(isNamed || source.names(principal), doubt);
      if (exemptions === undefined || by === 'named-only') continue;
      if (exemptions === 'as-written' ? source.asWritten(asked) : source.namedOnly(asked)) by = exemptions;
    }
    if (by === undefined) return false;
    return by === 'as-written' ? asWritten(asked) : namedOnly(asked);
  };
}

/** Whether any caller whom a rule is about is named there with its trust domain in full. */
export function namesAllInFull({ from }: Pick<Rule, 'from'>): boolean {
  return from.length > 0 && from.every(({ principals }) => principals?.every(namesDomain) === true);
}

/** How a source is read of a foreign caller; undefined: it is not about any. */
export function exemptionsOf(isNamed: boolean, doubt: Doubt): Exemptions | undefined {
  if (isNamed) return 'as-written';
  return doubt === 'narrow' ? undefined : 'named-only';
}

/** Whether a source, or one of the conditions beside it, names a principal with its trust domain in full. */
export function isNamedIn(principal: string, source: Source | undefined, when: readonly Condition[]): boolean {
  return namedIn([source?.principals, ...conditionLists(when)])(principal);
}

function conditionLists(when: readonly Condition[]): readonly Condition['values'][] {
  return when.filter(({ key }) => key.of === 'source.principal').map(({ values }) => values);
}

function namedIn(lists: readonly Source['principals'][]): (principal: string) => boolean {
  const sets = lists.flatMap((list) => (list === undefined ? [] : [new PatternSet(list.filter(namesDomain))]));
  return (principal) => sets.some((set) => set.has(principal));
}
